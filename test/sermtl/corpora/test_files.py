import os

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


def test_links_are_followed_once(tmp_path):
    """A linked folder's files were missing without a word."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "one.wav").touch()
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "round").symlink_to(tmp_path / "corpus")
    assert list(find(tmp_path / "corpus")) == ["one"]


def test_a_folder_that_cannot_be_read(tmp_path, monkeypatch):
    (tmp_path / "shut").mkdir()
    (tmp_path / "one.wav").touch()
    scandir = os.scandir

    def refuse(folder):  # tests may run as root, whom permissions don't stop
        if str(folder).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=r"shut: can't be read \(Permission denied\)"):
        find(tmp_path)
