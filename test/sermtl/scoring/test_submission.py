from pathlib import Path

import pytest

from sermtl.data.datadir import write_column
from sermtl.errors import UserError
from sermtl.scoring.submission import check_submission, write_submission

FILES = ["b_0002.wav", "b_0010.wav", "a_0001.wav"]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    data, dump = tmp_path / "data" / "test3", tmp_path / "dump" / "test3"
    write_column(data / "wav.scp", {f"u{i}": f"/some/where/{f}" for i, f in enumerate(FILES)})
    dump.mkdir(parents=True)
    (dump / "unreadable.txt").touch()
    return data, dump


def test_sorted_by_file_name(folders, tmp_path):
    path = tmp_path / "submission.csv"
    write_submission(path, {"u0": "A", "u1": "N", "u2": "H"}, "AHN", *folders)
    assert path.read_bytes() == b"FileName,EmoClass\na_0001.wav,H\nb_0002.wav,A\nb_0010.wav,N\n"
    check_submission(path, [["FileName", "EmoClass"], ["0.wav", "A"]], ["0.wav"], "A")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", ":1: the first line must be FileName,EmoClass"),
        ("FileName;EmoClass\n", ":1: the first line"),
        ("a_0001.wav,A\nb_0002.wav,A\n", ": 1 files are missing, e.g. b_0010.wav"),
        ("a_0001.wav,A\na_0001.wav,A\n", ":3: a_0001.wav after a_0001.wav: twice"),
        ("b_0002.wav,A\na_0001.wav,A\n", ":3: .* not sorted"),
        ("a_0001.wav,X\n", ":2: 'X' is none of the classes"),
        ("a_0001,A\n", ":2: 'a_0001,A' isn't a file of the partition"),
        ("a_0001.wav,A,0.5\n", ":2: "),
    ],
)
def test_what_is_wrong_is_named(content, message):
    text = content if ":1:" in message else "FileName,EmoClass\n" + content
    lines = [line.split(",") for line in text.splitlines()]
    with pytest.raises(UserError, match=r"s\.csv" + message):
        check_submission(Path("s.csv"), lines, FILES, "AHSUFDCN")


def test_none_without_every_file(folders, tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("of an earlier model")
    (folders[1] / "unreadable.txt").write_text("u7 /some/where/c.wav: damaged\n")
    with pytest.raises(UserError, match=r"1 clips of test3 can't be read.*c\.wav"):
        write_submission(path, {"u0": "A", "u1": "N", "u2": "H"}, "AHN", *folders)
    assert not path.exists()


def test_files_of_one_name(folders, tmp_path):
    write_column(folders[0] / "wav.scp", {f"u{i}": f"/some/{i}/a.wav" for i in range(3)})
    with pytest.raises(UserError, match=r"s\.csv:3: a\.wav after a\.wav: twice"):
        write_submission(tmp_path / "s.csv", {"u0": "A", "u1": "N", "u2": "H"}, "AHN", *folders)
    assert not (tmp_path / "s.csv").exists()
