"""What Whisper said about each clip, one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from sermtl.errors import UserError
from sermtl.files import naming
from sermtl.transcription.guards import SPEECH


@dataclass(frozen=True)
class Transcript:
    """One clip's transcript and how far to trust it.

    The scores of a clip of several windows are those of its worst window, each for itself; they are
    None where Whisper took every window for silence.
    """

    id: str
    text: str  # on one line, as decoded (not normalised)
    language: str  # Whisper's code: given, or detected
    verdict: str  # of the guards, on the text kept: see `sermtl.transcription.guards`
    temperature: float  # 0: greedy; above: sampled after the guards refused the ones before
    avg_logprob: float | None  # mean log-probability per token
    no_speech_prob: float | None
    compression_ratio: float | None  # of the text under zlib; high for "no no no no"
    duration: float  # seconds
    model: str  # as asked for: a released model's name or a path
    sha256: str  # of the checkpoint

    @property
    def usable(self) -> bool:
        """Whether the text may be learned from: it is speech, and passed the guards."""
        return self.verdict == SPEECH

    def to_line(self) -> bytes:
        """The record as one line of UTF-8 JSON."""
        return (json.dumps(asdict(self), ensure_ascii=False) + "\n").encode()


def read_transcripts(path: Path) -> Iterator[Transcript]:
    """Yield the records of a file; a last line without its line end is still being written.

    Raises:
        UserError: a complete line is no record.
    """
    with open(path, "rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield Transcript(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise UserError(
                    f"{path}:{number}: not a transcription record ({error}); "
                    "delete this line and run the stage again"
                ) from error


@contextmanager
def open_log(path: Path) -> Iterator[BinaryIO]:
    """Open a shard's record file for appending, cutting off a line left half written by a kill."""
    with naming(path), open(path, "a+b") as stream:
        stream.seek(0)
        stream.truncate(stream.read().rfind(b"\n") + 1)
        yield stream


def append(log: BinaryIO, transcript: Transcript) -> None:
    """Add a record and hand it to the operating system, so that a kill doesn't lose it."""
    log.write(transcript.to_line())
    log.flush()
