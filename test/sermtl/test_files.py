import errno
import hashlib
import os
import stat
import threading

import pytest

from sermtl.errors import UserError
from sermtl.files import atomic_folder, atomic_write, exclusive, link, sha256


def test_nothing_under_the_final_name_before_the_end(tmp_path):
    file = tmp_path / "new folder" / "a b.txt"
    with atomic_write(file) as stream:
        stream.write("ż\n")
        assert not file.exists()
    assert file.read_bytes() == "ż\n".encode()
    assert os.listdir(file.parent) == ["a b.txt"]


def test_a_failure_leaves_what_was_there(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(file) as stream:
        stream.write("new")
        raise RuntimeError
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_bytes(tmp_path):
    with atomic_write(tmp_path / "a", "wb") as stream:
        stream.write(b"\x00\r\n")
    assert (tmp_path / "a").read_bytes() == b"\x00\r\n"


def test_permissions_are_those_of_any_new_file(tmp_path):
    with atomic_write(tmp_path / "a") as stream:
        stream.write("x")
    (tmp_path / "b").touch()
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"}
    assert len(modes) == 1


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 1])
def test_digest(tmp_path, size):
    (tmp_path / "a").write_bytes(b"x" * size)
    assert sha256(tmp_path / "a") == hashlib.sha256(b"x" * size).hexdigest()


def test_an_error_names_the_file_and_not_its_temporary_neighbour(tmp_path):
    with pytest.raises(OSError) as error, atomic_write(tmp_path / "a.pth", "wb"):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")  # as a full disk's: no name
        except OSError:
            raise RuntimeError("enforce fail at inline_container.cc:668") from None  # as torch's
    assert (error.value.errno, error.value.filename) == (errno.ENOSPC, str(tmp_path / "a.pth"))
    with pytest.raises(KeyError), atomic_write(tmp_path / "a.pth", "wb"):
        raise KeyError("x")  # which has nothing to do with the disk
    assert os.listdir(tmp_path) == []
    with pytest.raises(OSError) as error, atomic_write("/proc/self/a.txt"):
        pass
    assert error.value.filename == "/proc/self/a.txt"


def test_a_folder_takes_the_place_of_another(tmp_path):
    target = tmp_path / "model.v1"
    for content in ("old", "new"):
        with atomic_folder(target) as folder:
            (folder / content).write_text(content)
        assert os.listdir(target) == [content]
    with pytest.raises(RuntimeError), atomic_folder(target) as folder:
        (folder / "newer").write_text("x")
        raise RuntimeError
    assert (os.listdir(tmp_path), os.listdir(target)) == (["model.v1"], ["new"])


def test_a_link_changes_in_one_step(tmp_path):
    for target in ("a", "b"):
        (tmp_path / target).write_text(target)
        link(tmp_path / "best", target)
        assert (tmp_path / "best").read_text() == target
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "best"]


def test_whoever_has_a_folder_sweeps_it(tmp_path):
    """What killed processes left goes; what lives, or is somebody else's, stays."""
    left = [tmp_path / "x" / ".a.csv.k2j3.unfinished", tmp_path / ".set.removed" / "wav.scp"]
    kept = [tmp_path / ".lock.txt", tmp_path / "x" / "a.unfinished", tmp_path / "b.removed" / "c"]
    for path in (*left, *kept):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    with atomic_write(tmp_path / "x" / "b.csv") as stream:
        stream.write("x")
        with exclusive(tmp_path):
            assert not any(path.exists() for path in left)
            assert all(path.exists() for path in kept)
    assert (tmp_path / "x" / "b.csv").read_text() == "x"


def test_one_at_a_time(tmp_path, monkeypatch):
    folder = tmp_path / "new"
    monkeypatch.setenv("SERMTL_COMMAND", "./run.sh --recipe demo ")
    name = rf"process {os.getpid()} on .*, since 20.*: \./run\.sh --recipe demo\n"
    refused = pytest.raises(UserError, match=rf"another run is at work in .*new: {name}")
    with exclusive(folder), exclusive(folder, "other"), refused, exclusive(folder):
        pass
    with exclusive(folder):
        pass


def test_waiting_for_the_other(tmp_path):
    order = []

    def second():
        with exclusive(tmp_path, wait=60):
            order.append("second")

    with exclusive(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        order.append("first")
        with pytest.raises(UserError), exclusive(tmp_path, wait=0.2):
            pass
    thread.join(10)
    assert order == ["first", "second"]


def test_a_file_system_without_locks_is_told_and_used(tmp_path, monkeypatch, capsys):
    """As Lustre is without the mount option."""

    def flock(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", flock)
    with exclusive(tmp_path), atomic_write(tmp_path / "a") as stream:
        stream.write("x")
    assert (tmp_path / "a").read_text() == "x"
    assert "has no locks (Function not implemented)" in capsys.readouterr().err
