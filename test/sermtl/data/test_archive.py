"""Kaldi archives as kaldiio reads them."""

from __future__ import annotations

from pathlib import Path

import kaldiio
import numpy as np
import pytest

from sermtl.data.archive import Archives, append, read
from sermtl.errors import UserError


def test_every_entry_is_read_from_its_place(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    states = np.ones((2, 3, 4), dtype=np.float16)  # neither shape nor type is Kaldi's
    sound = np.arange(-5, 5, dtype=np.int16)
    with open("x.ark.tmp", "wb") as stream:
        places = [
            append(stream, Path("x.ark"), "å-1", matrix),
            append(stream, Path("x.ark"), "b", states, write_function="numpy"),
            append(stream, Path("x.ark"), "c", (16000, sound)),
        ]
    Path("x.ark.tmp").rename("x.ark")
    monkeypatch.chdir("/")  # places are absolute
    found = [kaldiio.load_mat(place) for place in places]
    for array, expected in zip(found, (matrix, states), strict=False):
        assert array.dtype == expected.dtype and (array == expected).all()
    assert found[2][0] == 16000 and (found[2][1] == sound).all()


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """An array, a clip, and one at another rate."""
    archive = tmp_path / "a:b.ark"  # the last colon counts
    sound = np.arange(-5, 5, dtype=np.int16)
    entries = {"m": np.eye(3, dtype=np.float32), "w": (16000, sound), "o": (8000, sound)}
    with open(archive, "wb") as stream:
        found = {
            key: append(stream, archive, key, entry, write_function="numpy" if key == "m" else None)
            for key, entry in entries.items()
        }
    (tmp_path / "wav.scp").write_text("".join(f"{k} {found[k]}\n" for k in sorted(found)))
    return found


def test_archives_hand_out_entries(places: dict[str, str], tmp_path: Path) -> None:
    archives = Archives(tmp_path / "wav.scp")
    assert sorted(archives) == ["m", "o", "w"] and len(archives) == 3
    assert (archives["m"] == np.eye(3)).all()
    assert archives["w"].dtype == np.int16 and archives["w"].tolist() == list(range(-5, 5))
    with pytest.raises(UserError, match=r"a:b.ark:\d+: not a wav of 16 kHz, mono, 16 bit: run st"):
        archives["o"]


def test_what_is_no_entry(places: dict[str, str], tmp_path: Path) -> None:
    archive = tmp_path / "a:b.ark"
    for place in ("sox x.wav -t wav - |", "x.wav", ":7", f"{archive}:", f"{archive}:-1"):
        with pytest.raises(UserError, match=r": no place in an archive \(file:offset\): run stage"):
            read(place)
    with pytest.raises(UserError, match=r"ark:1: not a wav of 16 kHz, mono, 16 bit: run stage 1"):
        read(f"{archive}:1")
    with pytest.raises(UserError, match=r"none.ark:0: can't be read \(.*No such file.*\): bring"):
        read(f"{tmp_path}/none.ark:0")


@pytest.mark.parametrize("key, left", [("m", 20), ("m", 4), ("w", 63), ("w", 44), ("w", 20)])
def test_a_cut_off_entry_is_refused(key: str, left: int, places: dict[str, str]) -> None:
    archive, _, offset = places[key].rpartition(":")
    with open(archive, "r+b") as stream:
        stream.truncate(int(offset) + left)
    with pytest.raises(UserError, match=rf"ark:{offset}: (?!None)\w.*: run stage 1 again$"):
        read(places[key])
