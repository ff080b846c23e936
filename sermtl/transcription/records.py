"""What Whisper said about each clip, one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from sermtl.errors import UserError

# The thresholds of whisper's own `transcribe` function.
NO_SPEECH_PROB = 0.6
IMPROBABLE_LOGPROB = -1.0
REPETITIVE_RATIO = 2.4


@dataclass(frozen=True)
class Transcript:
    """One clip's transcript and how far to trust it; None where Whisper decoded nothing."""

    id: str
    text: str  # on one line, as decoded (not normalised)
    language: str  # Whisper's code: given, or detected
    avg_logprob: float | None  # mean log-probability per token
    no_speech_prob: float | None
    compression_ratio: float  # of the text under zlib; high for "no no no no"
    temperature: float  # 0: greedy
    duration: float  # seconds
    model: str  # as asked for: a released model's name or a path
    sha256: str  # of the checkpoint

    @property
    def heard(self) -> bool:
        """Whether there is speech in the clip, by the rule of whisper's `transcribe`."""
        silent = (
            self.no_speech_prob is not None
            and self.avg_logprob is not None
            and self.no_speech_prob > NO_SPEECH_PROB
            and self.avg_logprob < IMPROBABLE_LOGPROB
        )
        return bool(self.text) and not silent

    @property
    def doubtful(self) -> bool:
        """Whether the text is repetitive or improbable enough to deserve a look."""
        improbable = self.avg_logprob is not None and self.avg_logprob < IMPROBABLE_LOGPROB
        return self.heard and (improbable or self.compression_ratio > REPETITIVE_RATIO)

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
    with open(path, "a+b") as stream:
        stream.seek(0)
        stream.truncate(stream.read().rfind(b"\n") + 1)
        yield stream


def append(log: BinaryIO, transcripts: Iterable[Transcript]) -> None:
    """Add records and hand them to the operating system, so that a kill doesn't lose them."""
    log.writelines(transcript.to_line() for transcript in transcripts)
    log.flush()
