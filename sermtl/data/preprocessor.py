"""From what the data files hold to what the model takes."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from typeguard import typechecked

from sermtl.data.augmentation import Augmentation
from sermtl.data.labels import NO_CLASS
from sermtl.data.tokens import Tokenizer
from sermtl.data.utterance import UNKNOWN

PAD_TOKEN = -1


class SERPreprocessor:
    """Turns labels into class numbers, text into tokens and samples into floats.

    Args:
        inventories: the classes of ``emotion``, ``gender`` and ``speaker``. A label that is
            unknown or outside the inventory (a validation speaker, say) becomes -1.
        tokenizer: for the transcripts; ``None`` if there are none.
        augmentation: changes to the waveform, for training only.
        seed: of the augmentation.
    """

    @typechecked
    def __init__(
        self,
        inventories: Mapping[str, Sequence[str]],
        tokenizer: Tokenizer | None = None,
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        self.indices = {
            task: {label: i for i, label in enumerate(labels)}
            for task, labels in inventories.items()
        }
        self.tokenizer = tokenizer
        self.augmentation = augmentation
        self.seed = seed
        self.epoch = 0  # set before each epoch, so that augmentation differs between them

    def __call__(self, utt_id: str, data: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """One utterance: ``speech`` float32, class numbers and ``text`` ``(U,)`` token ids.

        Speech is ``(N,)`` samples, or hidden states ``(T, L+1, D)`` computed before.
        """
        speech = np.asarray(data["speech"])
        if speech.dtype.kind == "i":
            speech = speech / np.float32(np.iinfo(speech.dtype).max + 1)
        speech = speech.astype(np.float32)
        if self.augmentation is not None:
            # Seeded by the utterance, so neither workers nor ranks change what it becomes.
            key = [self.seed, self.epoch, zlib.crc32(utt_id.encode())]
            speech = self.augmentation(speech, np.random.default_rng(key))
        sample = {"speech": speech}
        for task, index in self.indices.items():
            sample[task] = np.array(index.get(data[task], NO_CLASS), dtype=np.int64)
        text = data.get("text", UNKNOWN)
        tokens = self.tokenizer.encode(text) if self.tokenizer and text != UNKNOWN else []
        sample["text"] = np.array(tokens, dtype=np.int64)
        return sample


def collate(
    samples: Collection[tuple[str, Mapping[str, np.ndarray]]],
) -> tuple[list[str], dict[str, torch.Tensor]]:
    """Pad samples to a batch: sequences get ``<name>_lengths``, class numbers become ``(B,)``.

    Speech is padded with zeros, text with -1.
    """
    ids = [utt_id for utt_id, _ in samples]
    rows = [sample for _, sample in samples]
    batch: dict[str, torch.Tensor] = {}
    for name in rows[0]:
        values = [torch.from_numpy(np.asarray(row[name])) for row in rows]
        if values[0].dim() == 0:
            batch[name] = torch.stack(values)
            continue
        batch[name] = torch.nn.utils.rnn.pad_sequence(
            values, batch_first=True, padding_value=PAD_TOKEN if name == "text" else 0.0
        )
        batch[f"{name}_lengths"] = torch.tensor([len(value) for value in values])
    return ids, batch
