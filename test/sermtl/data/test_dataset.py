"""Batches as training takes them, against the files read one by one."""

from __future__ import annotations

from pathlib import Path

import kaldiio
import numpy as np
import pytest
from espnet2.train.distributed_utils import DistributedOption
from tiny import EMOTIONS
from tiny_corpus import arguments, write

from sermtl.data.datadir import read_column
from sermtl.errors import UserError
from sermtl.training.task import EpochIterFactory, SERTask


def factory(folder: Path, workers: int) -> EpochIterFactory:
    options = arguments(folder, folder / "exp", num_workers=workers)
    args = SERTask.get_parser().parse_args(options)
    return SERTask.build_iter_factory(args, DistributedOption(), "train")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write(folder)
    return folder


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_hold_what_the_files_do(data: Path, workers: int) -> None:
    emotions, seen = read_column(data / "train" / "utt2emo"), []
    audio = kaldiio.load_scp(str(data / "train" / "wav.scp"))
    batches = factory(data, workers).build_iter(1)
    for ids, batch in batches:
        seen += ids
        lengths = batch["speech_lengths"].tolist()
        assert {str(value.dtype) for name, value in batch.items() if name != "speech"} == {
            "torch.int64"
        }
        for utt_id, row, length in zip(ids, batch["speech"].numpy(), lengths, strict=True):
            np.testing.assert_array_equal(row[:length], audio[utt_id][1] / np.float32(32768))
            assert not row[length:].any() and row.dtype == np.float32
        assert [EMOTIONS[i] for i in batch["emotion"]] == [emotions[u] for u in ids]
    assert sorted(seen) == list(emotions) and len(batches) == 4


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("gone.ark:6", r"^train03: .*gone\.ark:6: can't be read \(.*No such file .*\): bring .*$"),
        ("train/wav.ark:7", r"^train03: .*wav\.ark:7: not a wav of 16 kHz, mono, 16 bit: .*$"),
    ],
)
def test_what_cannot_be_read_is_named(data: Path, workers: int, place: str, message: str) -> None:
    batches = factory(data, workers)
    batches.dataset.readers["speech"].places["train03"] = str(data / place)
    with pytest.raises(UserError, match=message):
        list(batches.build_iter(1))
