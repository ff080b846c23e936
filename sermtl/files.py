"""Files that are either whole or absent, and folders that one process has to itself."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from sermtl.errors import UserError, full_disk

UNFINISHED = ".unfinished"  # suffix of what has no final name yet
REMOVED = ".removed"  # and of a folder that has none any more
MOMENT = 0.1  # seconds between two looks whether another process has gone


@contextmanager
def atomic_write(path: str | Path, mode: str = "w") -> Iterator[IO]:
    """Open a temporary neighbour of ``path`` and rename it over ``path`` when the block succeeds.

    Text is UTF-8 with ``\\n`` line ends. On an exception the temporary file is removed and
    ``path`` keeps what it had.

    Raises:
        OSError: that names ``path`` if the disk is full, also where a library hid the reason.
    """
    path = Path(path)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = _temporary(path)
        try:
            with os.fdopen(handle, mode, **text) as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
                os.chmod(temporary, 0o666 & ~_umask())
                os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync(path.parent)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary neighbour of the folder ``path``, which takes its place when the block succeeds.

    Between the two there is none for an instant. One process at a time may do this.

    Raises:
        OSError: as `atomic_write`.
    """
    temporary = path.with_name(f".{path.name}{UNFINISHED}")
    with naming(path):
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            temporary.mkdir(parents=True)
            yield temporary
            for content in [*temporary.rglob("*"), temporary]:
                _sync(content)
            remove(path)
            temporary.rename(path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        _sync(path.parent)


def link(path: Path, target: str) -> None:
    """Point the symbolic link ``path`` at ``target`` in one step."""
    temporary = path.with_name(f".{path.name}{UNFINISHED}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(path)
    _sync(path.parent)


def remove(folder: Path) -> None:
    """Remove a folder, if there is one; what a kill leaves of it is not under its name."""
    aside = folder.with_name(f".{folder.name}{REMOVED}")
    shutil.rmtree(aside, ignore_errors=True)
    with suppress(FileNotFoundError):
        folder.rename(aside)
        shutil.rmtree(aside)


@contextmanager
def exclusive(folder: str | Path, lock: str = ".lock", wait: float = 0.0) -> Iterator[None]:
    """Keep other processes that ask likewise out of ``folder``; a killed process keeps out no one.

    What killed processes left unfinished in there goes.

    Args:
        folder: is made if need be.
        lock: name of the file in it, which tells who is in; other names keep out other processes.
        wait: seconds that the other one has to go.

    Raises:
        UserError: if another process is in there; which one is in the message.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / lock, "a+b", buffering=0) as stream:
        _lock(stream, folder, wait)
        with suppress(OSError):  # the disk is full: the lock holds without a name
            stream.truncate(0)
            stream.write(_who().encode(errors="replace"))
            os.fsync(stream.fileno())  # for readers on other machines
        sweep(folder)
        yield


def sweep(folder: Path) -> None:
    """Remove what killed processes left unfinished in a folder and below.

    What a living process writes is locked, and stays.
    """
    for parent, folders, files in os.walk(folder):
        for name in [name for name in folders if _is_of(name, REMOVED)]:
            folders.remove(name)
            shutil.rmtree(Path(parent, name), ignore_errors=True)
        for name in [name for name in files if _is_of(name, UNFINISHED)]:
            with suppress(OSError), open(Path(parent, name), "r+b") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                Path(parent, name).unlink()


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let the error of a full disk, or about a temporary file, tell which file was meant."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = full_disk(error)
        if reason is None and isinstance(error, OSError):
            name = os.path.basename(os.fsdecode(error.filename or ""))
            reason = error if _is_of(name, UNFINISHED) else None
        if reason is None:
            raise
        raise OSError(reason.errno, reason.strerror, str(path)) from error


def sha256(path: str | Path) -> str:
    """Hexadecimal digest of a file's content."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _temporary(path: Path) -> tuple[int, str]:
    """A new file beside ``path``, locked as long as it is open: `sweep` leaves it alone."""
    while True:
        handle, name = tempfile.mkstemp(UNFINISHED, f".{path.name}.", path.parent)
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, name
        os.close(handle)  # swept before it was locked


def _is_of(name: str, suffix: str) -> bool:
    return name.startswith(".") and name.endswith(suffix)


def _lock(stream: IO[bytes], folder: Path, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                stream.seek(0)
                who = stream.read(1000).decode(errors="replace")
                raise UserError(
                    f"another run is at work in {folder}: {who or 'it has just begun'}\n"
                    "Wait for it, or stop it."
                ) from None
            time.sleep(MOMENT)
        except OSError as error:
            print(
                f"warning: {folder}: its file system has no locks ({error.strerror}), so nothing "
                "keeps a second run out",
                file=sys.stderr,
            )
            return


def _who() -> str:
    """This process, for whoever is kept out by it; the command as its user gave it."""
    command = os.environ.get("SERMTL_COMMAND") or shlex.join(sys.orig_argv)
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    return f"process {os.getpid()} on {socket.gethostname()}, since {since}: {command.strip()}"


def _sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk, where its file system can do that."""
    handle = os.open(path, os.O_RDONLY)
    with suppress(OSError):
        os.fsync(handle)
    os.close(handle)


def _umask() -> int:
    """The process's file mode mask (mkstemp ignores it and makes private files)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
