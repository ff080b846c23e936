import hashlib
import os
import stat
import threading

import pytest

from sermtl.errors import UserError
from sermtl.files import atomic_write, exclusive, sha256


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


def test_one_at_a_time(tmp_path):
    folder = tmp_path / "new"
    refused = pytest.raises(UserError, match=r"another run is at work in .*new")
    with exclusive(folder), exclusive(folder, "other"), refused, exclusive(folder):
        pass
    with exclusive(folder):
        pass


def test_waiting_for_the_other(tmp_path):
    order = []

    def second():
        with exclusive(tmp_path, wait=True):
            order.append("second")

    with exclusive(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
