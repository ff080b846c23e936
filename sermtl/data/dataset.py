"""Utterances as the data loader asks for them."""

from __future__ import annotations

from typing import Any

from espnet2.train.dataset import DATA_TYPES, ESPnetDataset

from sermtl.data.archive import Archives
from sermtl.errors import UserError, first_line

DATA_TYPES["kaldi_ark"] |= {"func": Archives, "kwargs": []}  # in place of ESPnet's own


class Utterances:
    """An ESPnet dataset without its checks and copies of each value, which outlast the reading.

    Args:
        dataset: holds the readers of the data files, and the preprocessor.
    """

    def __init__(self, dataset: ESPnetDataset) -> None:
        self.readers = dataset.loader_dict
        self.preprocess = dataset.preprocess

    def __getitem__(self, utt_id: str) -> tuple[str, dict[str, Any]]:
        """What the preprocessor makes of an utterance.

        Raises:
            UserError: if it can't be read.
        """
        try:
            data = {name: reader[utt_id] for name, reader in self.readers.items()}
        except UserError as error:
            raise UserError(f"{utt_id}: {error}") from error
        except Exception as error:  # of whatever reader
            raise UserError(
                f"{utt_id} can't be read ({first_line(error)}): bring its file back, "
                "or run stage 1 again"
            ) from error
        return utt_id, self.preprocess(utt_id, data)
