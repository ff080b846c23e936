"""Kaldi archives as kaldiio reads them."""

from __future__ import annotations

from pathlib import Path

import kaldiio
import numpy as np

from sermtl.data.archive import append


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
