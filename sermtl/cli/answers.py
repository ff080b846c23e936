"""Answers as CSV, JSON lines or a table."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from sermtl.data.tasks import CLOSED
from sermtl.terminal import printable, style, width, writable

if TYPE_CHECKING:
    from sermtl.prediction import Prediction

FORMATS = ("csv", "jsonl", "table")
LEAST = 12  # columns of a terminal that a transcript is worth showing in


class Writer:
    """Writes answers one by one, as they come.

    Args:
        stream: to write to.
        kind: one of `FORMATS`.
        names: of all recordings, which a table is as wide as.
        timeline: a row for each window instead of each recording.
    """

    def __init__(
        self, stream: TextIO, kind: str, names: Sequence[str], timeline: bool = False
    ) -> None:
        self.stream, self.timeline = stream, timeline
        self.begun = False  # the table, with its header
        self.widest = min(40, max((width(printable(name)) for name in names), default=0))
        self.total = shutil.get_terminal_size().columns
        self.line = {"csv": self._csv, "jsonl": self._jsonl, "table": self._row}[kind]

    def write(self, name: str, answer: Prediction) -> None:
        """One recording's answer."""
        if not self.timeline:
            self.line(name, answer, {})
            return
        whole = [(0.0, answer.duration, answer)]
        for start, end, said in [(w.start, w.end, w.prediction) for w in answer.windows] or whole:
            self.line(name, said, {"start": round(start, 3), "end": round(end, 3)})

    def _csv(self, name: str, answer: Prediction, place: dict[str, float]) -> None:
        from sermtl.inference import row, write_rows

        values = row(writable(name), answer)
        values = {"id": values.pop("id"), **place, **values}
        write_rows(self.stream, [values], header=not self.begun)
        self.begun = True

    def _jsonl(self, name: str, answer: Prediction, place: dict[str, float]) -> None:
        values = {"id": name, **place, **answer.to_dict()}
        if self.timeline:
            del values["windows"]
        # JSON reads the escapes back, so that the id is the name that Python finds the file by.
        self.stream.write(writable(json.dumps(values, ensure_ascii=False)) + "\n")

    def _row(self, name: str, answer: Prediction, place: dict[str, float]) -> None:
        name = printable(name)
        shown = name if width(name) <= self.widest else "…" + name[1 - self.widest :]
        cells = [shown + " " * (self.widest - width(shown))]
        if place:
            cells.append(f"{place['start']:8.2f} {place['end']:8.2f}")
        widest = max(map(width, answer.scores))
        emotion = answer.emotion + " " * (widest - width(answer.emotion))
        cells += [style(emotion, "bold", self.stream), f"{answer.scores[answer.emotion]:4.0%}"]
        for task in CLOSED:
            if (label := getattr(answer, task)) is not None:
                cells.append(f"{label:<6} {getattr(answer, f'{task}_score'):4.0%}")
        if answer.transcript:
            used = sum(map(width, cells)) + 2 * len(cells) - len(style("", "bold", self.stream))
            room = max(LEAST, self.total - used)
            text = answer.transcript
            cells.append(text if width(text) <= room else text[: room - 1] + "…")
        self.stream.write("  ".join(cells).rstrip() + "\n")
        self.stream.flush()
