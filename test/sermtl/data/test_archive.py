"""Kaldi archives as kaldiio reads them."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import kaldiio
import numpy as np
import pytest

from sermtl.data.archive import Archives, append, read
from sermtl.errors import UserError

SOUND = np.arange(-5, 5, dtype=np.int16)


def test_entries_are_as_kaldiio_writes_and_reads_them(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    entries = {
        "å-1": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.ones((2, 3, 4), dtype=np.float16),  # neither shape nor type is Kaldi's
        "c": SOUND,
    }
    with open("x.ark.tmp", "wb") as stream:
        places = [append(stream, Path("x.ark"), *entry) for entry in entries.items()]
    Path("x.ark.tmp").rename("x.ark")
    with kaldiio.WriteHelper("ark:own.ark", write_function="numpy") as own:
        own("å-1", entries["å-1"])
        own("b", entries["b"])
    kaldiio.save_ark("own.ark", {"c": (16000, SOUND)}, append=True)
    assert Path("x.ark").read_bytes() == Path("own.ark").read_bytes()
    monkeypatch.chdir("/")  # places are absolute
    *arrays, (rate, samples) = (kaldiio.load_mat(place) for place in places)
    for array, expected in zip(arrays, entries.values(), strict=False):
        assert array.dtype == expected.dtype and (array == expected).all()
    assert rate == 16000 and (samples == SOUND).all()


def test_a_full_disk_is_told_once(monkeypatch) -> None:
    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    with open("/dev/full", "wb", buffering=0) as stream, pytest.raises(OSError, match="No space"):
        append(stream, Path("x.ark"), "a", SOUND)
    gc.collect()
    assert not told  # kaldiio's writer fails once more when it is collected


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """An array, a clip, and one at another rate."""
    archive = tmp_path / "a:b.ark"  # the last colon counts
    with open(archive, "wb") as stream:
        found = {
            "m": append(stream, archive, "m", np.eye(3, dtype=np.float32)),
            "w": append(stream, archive, "w", SOUND),
        }
        found["o"] = f"{archive}:{stream.tell() + 2}"
        kaldiio.save_ark(stream, {"o": (8000, SOUND)})
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
    with pytest.raises(
        UserError, match=rf"ark:{offset}: [^(]+(\((?!None)[^)]+\))?: run stage 1 again$"
    ):
        read(places[key])
