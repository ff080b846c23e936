"""A dumped archive that was cut off, or holds something else, is told before it is used."""

from __future__ import annotations

import kaldiio
import numpy as np
import pytest

from sermtl.data.audio import dumped_samples, read_dump
from sermtl.data.datadir import write_column
from sermtl.data.dump import dump_audio
from sermtl.data.utterance import Utterance
from sermtl.errors import UserError


@pytest.fixture(scope="module")
def dumped(clips, tmp_path_factory):
    """``dump/<set>`` after stage 1."""
    folder = tmp_path_factory.mktemp("dump")
    made = dump_audio([Utterance(clip.stem, str(clip), "test") for clip in clips], folder, 1, 0.0)
    write_column(folder / "wav.scp", made.places)
    write_column(folder / "utt2num_samples", {u: str(n) for u, n in made.samples.items()})
    return folder


@pytest.mark.parametrize("left", [0, *(k / 10 for k in range(1, 10)), -1000, -44, -2, -1])
def test_cut_off(dumped, left) -> None:
    archive = dumped / "wav.1.ark"
    content = archive.read_bytes()
    last = list(read_dump(dumped).paths.values())[-1]
    archive.write_bytes(content[: int(left * len(content)) if left >= 0 else left])
    with pytest.raises(UserError, match=r"wav\.1\.ark: \d+ bytes, \d+ were written: run stage 1"):
        read_dump(dumped)
    with pytest.raises(UserError, match=r"wav\.1\.ark:\d+: .* run stage 1 again"):
        dumped_samples(last)
    archive.unlink()
    with pytest.raises(UserError, match=r"wav\.1\.ark: 0 bytes"):
        read_dump(dumped)
    archive.write_bytes(content)
    read_dump(dumped)


@pytest.mark.parametrize(
    "entry",
    [
        (8000, np.zeros(800, np.int16)),
        (16000, np.zeros((800, 2), np.int16)),
        (16000, np.zeros(800, np.uint8)),
        np.zeros((10, 8), np.float32),
    ],
    ids=["8 kHz", "stereo", "8 bit", "features"],
)
def test_other_content(tmp_path, entry) -> None:
    kaldiio.save_ark(str(tmp_path / "wav.ark"), {"a": entry})
    with pytest.raises(UserError, match=r"wav\.ark:2: not a wav of 16 kHz, mono, 16 bit"):
        dumped_samples(f"{tmp_path}/wav.ark:2")


@pytest.mark.parametrize("place", ["wav.ark", "wav.ark:", "wav.ark:x", "wav.ark:-1", "cat wav |"])
def test_no_place(tmp_path, place) -> None:
    kaldiio.save_ark(str(tmp_path / "wav.ark"), {"a": (16000, np.zeros(800, np.int16))})
    with pytest.raises(UserError, match="run stage 1 again"):
        dumped_samples(f"{tmp_path}/{place}")
