import pytest

from sermtl.corpora.files import files_below
from sermtl.errors import UserError


def find(folder):
    return files_below(str(folder), "x_root", "*.wav", "*")


def test_by_name_and_sorted(tmp_path):
    for name in ("b/two.WAV", "a/one.flac", "a/._one.flac", "a/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find(tmp_path) == {"one": tmp_path / "a/one.flac", "two": tmp_path / "b/two.WAV"}


def test_the_same_from_another_folder(tmp_path, monkeypatch):
    (tmp_path / "one.wav").touch()
    monkeypatch.chdir(tmp_path)
    assert find(".") == find(tmp_path)


def test_mistakes_are_told(tmp_path):
    with pytest.raises(UserError, match=r"no \*\.wav below .*: is --x_root right\?"):
        find(tmp_path)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.wav").touch()
    with pytest.raises(UserError, match=r"b/one\.wav is also at .*a/one\.wav"):
        find(tmp_path)
