"""Knowing whether a stage's work is done: same options, same inputs, outputs still there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from sermtl.files import atomic_write, sha256

# Larger files (audio archives) are told apart by size and time: hashing them would cost minutes.
HASHED_BYTES = 16 << 20


class Stage:
    """A unit of work with a marker file that records what it was done with.

    Args:
        marker: JSON file written when the work is finished.
        options: what the result depends on besides files (JSON values).
        inputs: files the result depends on.
    """

    def __init__(
        self, marker: str | Path, options: Mapping[str, object], inputs: Iterable[str | Path] = ()
    ) -> None:
        self.marker = Path(marker)
        self.record = {
            "options": json.loads(json.dumps(options, default=str)),
            "inputs": {str(path): _fingerprint(Path(path)) for path in dict.fromkeys(inputs)},
        }

    def is_done(self) -> bool:
        """Whether the marker tells of the same work and every output is as it was left."""
        try:
            done = json.loads(self.marker.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return False
        outputs = done.pop("outputs", {})
        return done == self.record and all(
            _size(Path(path)) == size for path, size in outputs.items()
        )

    def finish(self, outputs: Iterable[str | Path]) -> None:
        """Record that the work is done and left ``outputs`` behind."""
        sizes = {str(path): _size(Path(path)) for path in outputs}
        with atomic_write(self.marker) as stream:
            json.dump({**self.record, "outputs": sizes}, stream, indent=1)


def made_from(marker: str | Path, files: Iterable[str | Path]) -> bool:
    """Whether finished work was made from these files, as they are now."""
    try:
        inputs = json.loads(Path(marker).read_text(encoding="utf-8"))["inputs"]
    except (FileNotFoundError, json.JSONDecodeError, KeyError):
        return False
    return all(inputs.get(str(file)) == _fingerprint(Path(file)) for file in files)


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.exists() else None


def _fingerprint(path: Path) -> str:
    if not path.exists():
        return "missing"
    stat = path.stat()
    if stat.st_size > HASHED_BYTES:
        return f"{stat.st_size} bytes of {stat.st_mtime_ns}"
    return sha256(path)
