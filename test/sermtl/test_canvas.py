"""Files of pictures: both formats, the same each time, fonts that publishers take."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import pytest

from sermtl.canvas import COLUMN, files, picture


def test_both_formats_are_the_same_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = []
    for day in ("0", "86400"):  # what matplotlib would take as the date
        monkeypatch.setenv("SOURCE_DATE_EPOCH", day)
        with picture(tmp_path / day / "of_v1.2", COLUMN, 2) as figure:
            figure.subplots().plot([0, 1], [0, 1], label="a")
        written = sorted(path.name for path in (tmp_path / day).iterdir())
        assert written == sorted(files("of_v1.2")) == ["of_v1.2.pdf", "of_v1.2.png"]
        contents.append([(tmp_path / day / name).read_bytes() for name in written])
    assert contents[0] == contents[1]
    pdf = contents[0][0]
    assert pdf.startswith(b"%PDF-") and pdf.rstrip().endswith(b"%%EOF")
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf
    pixels = matplotlib.image.imread(tmp_path / "0" / "of_v1.2.png").shape
    assert pixels[:2] == (600, 1050)


def test_nothing_is_left_of_a_picture_that_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), picture(tmp_path / "x", COLUMN, 2):
        _ = 1 / 0
    assert not list(tmp_path.iterdir())


def test_the_users_own_style_is_kept(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    with picture(tmp_path / "x", COLUMN, 2):
        assert matplotlib.rcParams["pdf.fonttype"] == 42
    assert dict(matplotlib.rcParams) == before
