"""A dumped set on its way from the corpus's transcripts to Whisper's, and back."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from sermtl.data.audio import audio_files
from sermtl.data.datadir import read_column
from sermtl.data.utterance import UNKNOWN
from sermtl.errors import UserError
from sermtl.files import atomic_write
from sermtl.stage import Stage
from sermtl.transcription.records import Transcript, read_transcripts


class DumpedSet:
    """``dump/<set>/`` as stage 2 sees it.

    ``whisper/`` holds the work: the workers' records and what they were made with. It outlives
    the stage, so going back to the corpus's transcripts and forth again costs nothing.
    ``whisper.jsonl`` (all records), ``text.corpus`` (the corpus's transcripts) and ``text``
    (Whisper's) are what the stage leaves.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.name = self.folder.name
        self.work = self.folder / "whisper"
        self.text = self.folder / "text"
        self.corpus_text = self.folder / "text.corpus"
        self.merged = self.folder / "whisper.jsonl"
        self.marker = self.folder / "transcribe.done.json"

    @cached_property
    def clips(self) -> dict[str, str]:
        """Utterance id -> place of its audio (``archive:offset``)."""
        return self._read("wav.scp")

    @cached_property
    def durations(self) -> dict[str, float]:
        """Utterance id -> seconds."""
        return {clip: float(seconds) for clip, seconds in self._read("utt2dur").items()}

    def _read(self, name: str) -> dict[str, str]:
        path = self.folder / name
        if not path.is_file():
            raise UserError(f"{path} is missing: run stage 1 (data preparation) first")
        return read_column(path)

    # the work

    def stages(self, options: Mapping[str, object], inputs: Iterable[Path]) -> tuple[Stage, Stage]:
        """Markers of the work begun and of the work done, for these options, inputs and audio."""
        inputs = [*inputs, *audio_files(self.folder), self.folder / "utt2dur"]
        return Stage(self.work / "begun.json", options, inputs), Stage(self.marker, options, inputs)

    def begin(self, begun: Stage, afresh: bool = False) -> None:
        """Keep earlier records if they were made with the same model and audio, else drop them."""
        if afresh or not begun.is_done():
            shutil.rmtree(self.work, ignore_errors=True)
            begun.finish([])

    def shard_file(self, index: int) -> Path:
        """Where worker ``index`` (from 1) writes."""
        return self.work / f"shard.{index}.jsonl"

    def finished(self) -> dict[str, Transcript]:
        """The records made so far, by all workers of all runs."""
        return {
            transcript.id: transcript
            for path in sorted(self.work.glob("shard.*.jsonl"))
            for transcript in read_transcripts(path)
        }

    def count_finished(self) -> int:
        """How many records there are, without reading them."""
        return sum(path.read_bytes().count(b"\n") for path in self.work.glob("shard.*.jsonl"))

    def shard(self, index: int, count: int) -> list[str]:
        """Unfinished clips of worker ``index`` (from 1) of ``count``, longest first.

        All clips are dealt, finished or not: workers that start at different times agree.
        """
        longest_first = sorted(self.clips, key=lambda clip: (-self.durations[clip], clip))
        finished = self.finished()
        return [clip for clip in longest_first[index - 1 :: count] if clip not in finished]

    # what the stage leaves

    def publish(self) -> str:
        """Merge the records and put Whisper's text in place of the corpus's; returns a summary.

        The order of the steps lets a kill at any point be followed by another ``publish``.
        """
        finished = self.finished()
        missing = sorted(self.clips.keys() - finished.keys())
        if missing:
            raise UserError(
                f"{self.folder}: {len(missing)} clips have no transcript, the first is "
                f"{missing[0]}: run the stage again"
            )
        transcripts = [finished[clip] for clip in sorted(self.clips)]
        self.restore()
        if not self.text.is_file():
            raise UserError(f"{self.text} is missing: run stage 1 (data preparation) first")
        with atomic_write(self.merged, "wb") as stream:
            stream.writelines(transcript.to_line() for transcript in transcripts)
        with atomic_write(self.corpus_text, "wb") as stream:
            stream.write(self.text.read_bytes())
        with atomic_write(self.text, "wb") as stream:
            stream.write(_to_text(transcripts))
        return _summary(transcripts)

    def restore(self) -> bool:
        """Put the corpus's transcripts back; False if they were in place already."""
        transcribed = self.is_transcribed()
        if transcribed:
            self.corpus_text.replace(self.text)
        for leftover in (self.corpus_text, self.merged, self.marker):
            leftover.unlink(missing_ok=True)
        return transcribed

    def is_transcribed(self) -> bool:
        """Whether ``text`` is Whisper's. After stage 1 ran again it is not, whatever lies about."""
        if not (self.merged.is_file() and self.corpus_text.is_file() and self.text.is_file()):
            return False
        return self.text.read_bytes() == _to_text(read_transcripts(self.merged))


def _to_text(transcripts: Iterable[Transcript]) -> bytes:
    """Kaldi's text file, with the unknown label where Whisper heard nothing."""
    return "".join(f"{t.id} {t.text if t.heard else UNKNOWN}\n" for t in transcripts).encode()


def _summary(transcripts: list[Transcript]) -> str:
    languages = Counter(transcript.language for transcript in transcripts).most_common()
    return (
        f"{len(transcripts)} clips; "
        f"{sum(not transcript.heard for transcript in transcripts)} without speech ({UNKNOWN}), "
        f"{sum(transcript.doubtful for transcript in transcripts)} doubtful "
        "(repetitive or improbable; see whisper.jsonl); "
        f"languages: {', '.join(f'{language} {n}' for language, n in languages) or 'none'}"
    )
