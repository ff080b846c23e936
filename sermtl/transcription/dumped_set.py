"""A dumped set on its way from the corpus's transcripts to Whisper's, and back."""

from __future__ import annotations

import filecmp
import json
import shutil
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from sermtl.data.audio import audio_files
from sermtl.data.datadir import read_column, write_column
from sermtl.data.utterance import UNKNOWN
from sermtl.documents import read_json
from sermtl.errors import UserError
from sermtl.files import atomic_write, exclusive
from sermtl.jobs import GOING
from sermtl.stage import Stage
from sermtl.transcription.normalizers import text_normalizer
from sermtl.transcription.records import Transcript, read_transcripts
from sermtl.transcription.report import headline, numbers, to_markdown

CORPUS_TEXT = "text.corpus"
"""Beside ``text`` where Whisper wrote that: the corpus's own transcripts."""
REPORT_NUMBERS = "whisper_report.json"
ONE_WINDOW = 30.0  # seconds; through longer clips Whisper goes window by window


class DumpedSet:
    """``dump/<set>/`` as stage 2 sees it.

    ``whisper/`` holds the work: the workers' records and what they were made with. It outlives
    the stage, so going back to the corpus's transcripts and forth again costs nothing. The stage
    leaves ``whisper.jsonl`` (all records), ``whisper_report.md`` and ``.json``, both transcripts as
    ``text.corpus`` and ``text.whisper``, and in ``text`` a copy of the latter.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.name = self.folder.name
        self.work = self.folder / "whisper"
        self.text = self.folder / "text"
        self.corpus_text = self.folder / CORPUS_TEXT
        self.whisper_text = self.folder / "text.whisper"
        self.merged = self.folder / "whisper.jsonl"
        self.report = self.folder / "whisper_report.md"
        self.report_numbers = self.folder / REPORT_NUMBERS
        self.marker = self.folder / "transcribe.done.json"
        self._counted: dict[Path, tuple[int, int]] = {}  # shard file -> bytes read, their lines

    @property
    def outputs(self) -> list[Path]:
        """What `publish` leaves besides ``text``."""
        reports = [self.report, self.report_numbers]
        return [self.merged, *reports, self.whisper_text, self.corpus_text]

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

    def stages(
        self, decoding: Mapping[str, object], inputs: Iterable[Path], normalizer: str
    ) -> tuple[Stage, Stage]:
        """Markers of the work begun and of the work done.

        Args:
            decoding: options that the records depend on.
            inputs: files that they depend on, besides the audio.
            normalizer: which only ``text`` and the report depend on.
        """
        inputs = [*inputs, *audio_files(self.folder), self.folder / "utt2dur"]
        publishing = {**decoding, "text_normalizer": normalizer}
        return (
            Stage(self.work / "begun.json", decoding, inputs),
            Stage(self.marker, publishing, inputs),
        )

    def begin(self, begun: Stage, afresh: bool = False) -> None:
        """Keep earlier records made with the same options, model and audio; drop others.

        Raises:
            UserError: if a job of a run that was killed is still writing them.
        """
        if afresh or not begun.is_done():
            for lock in self.work.glob(self.lock("*")):
                with exclusive(self.work, lock.name, GOING):
                    pass
            shutil.rmtree(self.work, ignore_errors=True)
            self._counted.clear()
            begun.finish([])

    def shard_file(self, index: int) -> Path:
        """Where worker ``index`` (from 1) writes."""
        return self.work / f"shard.{index}.jsonl"

    def lock(self, index: int | str) -> str:
        """Name of the file that keeps other workers ``index`` out."""
        return f".shard.{index}.lock"

    def finished(self) -> dict[str, Transcript]:
        """The records made so far, by all workers of all runs."""
        return {
            transcript.id: transcript
            for path in sorted(self.work.glob("shard.*.jsonl"))
            for transcript in read_transcripts(path)
        }

    def count_finished(self) -> int:
        """How many records there are; reads only what came since the last call."""
        for path in self.work.glob("shard.*.jsonl"):
            position, lines = self._counted.get(path, (0, 0))
            with open(path, "rb") as stream:
                stream.seek(position)
                added = stream.read()
            # A line half written may be cut off and written again: it isn't read yet.
            whole = added.rfind(b"\n") + 1
            self._counted[path] = (position + whole, lines + added.count(b"\n"))
        return sum(lines for _, lines in self._counted.values())

    def batches(self, size: int) -> list[list[str]]:
        """All clips, finished or not, longest first: neither the number of workers nor a kill
        changes what is decoded together. A clip that isn't decoded with others is alone in
        memory."""
        longest_first = sorted(self.clips, key=lambda clip: (-self.durations[clip], clip))
        long = [clip for clip in longest_first if self.durations[clip] > ONE_WINDOW]
        rest = longest_first[len(long) :]
        return [[clip] for clip in long] + [rest[i : i + size] for i in range(0, len(rest), size)]

    def unfinished(self, batches: Iterable[list[str]]) -> list[tuple[list[str], list[str]]]:
        """Batches with clips that have no record yet, each with these clips."""
        finished = self.finished()
        missing = [(batch, [c for c in batch if c not in finished]) for batch in batches]
        return [(batch, clips) for batch, clips in missing if clips]

    # what the stage leaves

    def publish(self, normalizer: str) -> str:
        """Merge the records and put Whisper's text in place of the corpus's; returns a summary.

        The order of the steps lets a kill at any point be followed by another ``publish``.

        Raises:
            UserError: if clips have no record yet, or there are no transcripts of the corpus.
        """
        finished = self.finished()
        missing = sorted(self.clips.keys() - finished.keys())
        if missing:
            raise UserError(
                f"{self.folder}: {len(missing)} clips have no transcript, the first is "
                f"{missing[0]}: run the stage again"
            )
        self.restore()
        transcripts = [finished[clip] for clip in sorted(self.clips)]
        heard, known = self._texts(transcripts, normalizer)
        report = {
            "set": self.name,
            "text_normalizer": normalizer,
            **numbers(transcripts, heard, known),
        }
        with atomic_write(self.merged, "wb") as stream:
            stream.writelines(transcript.to_line() for transcript in transcripts)
        with atomic_write(self.report_numbers) as stream:
            json.dump(report, stream, indent=1, ensure_ascii=False)
        with atomic_write(self.report) as stream:
            stream.write(to_markdown(report))
        write_column(self.whisper_text, {clip: heard[clip] or UNKNOWN for clip in heard})
        _copy(self.text, self.corpus_text)
        _copy(self.whisper_text, self.text)
        return headline(report)

    def _texts(
        self, transcripts: Iterable[Transcript], normalizer: str
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Whisper's and the corpus's words by utterance id, normalised alike.

        Whisper's are empty where they aren't to be used; the corpus's are there where both are.
        """
        normalize = text_normalizer(normalizer)
        corpus = self._read("text")
        heard, known = {}, {}
        for transcript in transcripts:
            clip, language = transcript.id, transcript.language
            heard[clip] = normalize(transcript.text, language) if transcript.usable else ""
            text = corpus.get(clip, UNKNOWN)
            if heard[clip] and text != UNKNOWN:
                known[clip] = normalize(text, language)
        return heard, known

    def restore(self) -> bool:
        """Put the corpus's transcripts back; False if they were in place already."""
        transcribed = self.is_transcribed()
        if transcribed:
            self.corpus_text.replace(self.text)
        for leftover in (*self.outputs, self.marker):
            leftover.unlink(missing_ok=True)
        return transcribed

    def text_form(self) -> str:
        """In which form ``text`` was published: ``english`` or ``plain``, as the corpus's is."""
        if not self.is_transcribed():
            return "plain"
        report = read_json(self.report_numbers, "run stage 2 again")
        if report["text_normalizer"] != "auto":
            return report["text_normalizer"]
        return "english" if next(iter(report["languages"]), "") == "en" else "plain"

    def is_transcribed(self) -> bool:
        """Whether ``text`` is Whisper's. After stage 1 ran again it is not, whatever lies about."""
        if not all(p.is_file() for p in (self.text, self.corpus_text, self.whisper_text)):
            return False
        return filecmp.cmp(self.text, self.whisper_text, shallow=False)


def _copy(source: Path, target: Path) -> None:
    with atomic_write(target, "wb") as stream:
        stream.write(source.read_bytes())
