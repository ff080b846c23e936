"""Files that are either whole or absent."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sermtl.errors import UserError


@contextmanager
def atomic_write(path: str | Path, mode: str = "w") -> Iterator[IO]:
    """Open a temporary neighbour of ``path`` and rename it over ``path`` when the block succeeds.

    Text is UTF-8 with ``\\n`` line ends. On an exception the temporary file is removed and
    ``path`` keeps what it had.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
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


@contextmanager
def exclusive(folder: str | Path, lock: str = ".lock", wait: bool = False) -> Iterator[None]:
    """Keep other processes that ask likewise out of ``folder``; a killed process keeps out no one.

    Args:
        folder: is made if need be.
        lock: name of the file in it; other names keep out other processes.
        wait: until the other one has gone.

    Raises:
        UserError: if another process is in there, unless waiting.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    with open(Path(folder) / lock, "w", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError as error:
            raise UserError(
                f"another run is at work in {folder}: wait for it, or stop it"
            ) from error
        yield


def sha256(path: str | Path) -> str:
    """Hexadecimal digest of a file's content."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _umask() -> int:
    """The process's file mode mask (mkstemp ignores it and makes private files)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
