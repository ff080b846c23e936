"""What a model says about a recording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from sermtl.data.tasks import AUXILIARY


@dataclass(frozen=True)
class Window:
    """A stretch of a recording, in seconds from its beginning, and what was said in it."""

    start: float
    end: float
    prediction: Prediction


@dataclass(frozen=True)
class Segment:
    """Neighbouring windows with the same emotion, in seconds from the recording's beginning."""

    start: float
    end: float
    emotion: str


@dataclass(frozen=True)
class Prediction:
    """What the model says about one recording; what it wasn't trained for is ``None``.

    Of a recording that was cut into windows, everything is the windows' mean, weighted by how long
    they are, and the transcript is theirs in a row.
    """

    emotion: str
    scores: dict[str, float]  # probability of each emotion
    gender: str | None = None
    gender_score: float | None = None  # probability of that gender
    speaker: str | None = None  # the training speaker it resembles most
    speaker_score: float | None = None
    speaker_embedding: np.ndarray | None = None  # (H,) float32
    task_weights: dict[str, float] | None = None  # share of each auxiliary task in the fusion
    transcript: str | None = None
    duration: float = 0.0  # seconds
    windows: tuple[Window, ...] = ()  # of a recording longer than one window

    def timeline(self) -> list[Segment]:
        """When the emotion changes; one segment where there are no windows."""
        segments: list[Segment] = []
        for window in self.windows or (Window(0.0, self.duration, self),):
            start, emotion = window.start, window.prediction.emotion
            if segments and segments[-1].emotion == emotion:
                start = segments.pop().start
            segments.append(Segment(start, window.end, emotion))
        return segments

    def to_dict(self) -> dict[str, Any]:
        """Numbers, strings, lists and mappings, as JSON takes them."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.speaker_embedding is not None:
            values["speaker_embedding"] = self.speaker_embedding.tolist()
        values["windows"] = [
            {"start": w.start, "end": w.end, **w.prediction.to_dict()} for w in self.windows
        ]
        return values


@dataclass(frozen=True)
class Answer:
    """What the branches say about a clip.

    Attributes:
        probabilities: by task, ``(C,)``.
        embedding: of the speaker, ``(H,)``.
        task_weights: by auxiliary task.
        transcript: of the ASR branch.
        duration: of the clip, seconds.
    """

    probabilities: Mapping[str, np.ndarray]
    embedding: np.ndarray | None
    task_weights: Mapping[str, float] | None
    transcript: str | None
    duration: float

    def prediction(
        self, labels: Mapping[str, Sequence[str]], windows: Sequence[Window] = ()
    ) -> Prediction:
        """In words; ``labels`` are the classes of each task."""
        emotions = self.probabilities["emotion"].tolist()
        scores = dict(zip(labels["emotion"], emotions, strict=True))
        best: dict[str, Any] = {}
        for task in AUXILIARY:
            best[task], best[f"{task}_score"] = self._best(task, labels)
        return Prediction(
            emotion=max(scores, key=scores.__getitem__),
            scores=scores,
            **best,
            speaker_embedding=self.embedding,
            task_weights=None if self.task_weights is None else dict(self.task_weights),
            transcript=self.transcript,
            duration=self.duration,
            windows=tuple(windows),
        )

    def _best(
        self, task: str, labels: Mapping[str, Sequence[str]]
    ) -> tuple[str | None, float | None]:
        if task not in self.probabilities:
            return None, None
        best = int(self.probabilities[task].argmax())
        return labels[task][best], float(self.probabilities[task][best])


def joined(answers: Sequence[Answer]) -> Answer:
    """One answer about a recording from those about its windows, first to last."""
    durations = [answer.duration for answer in answers]
    first = answers[0]

    def mean(values: Sequence[Any]) -> np.ndarray:
        return np.average(values, axis=0, weights=durations).astype(np.float32)

    return Answer(
        {
            task: mean([answer.probabilities[task] for answer in answers])
            for task in first.probabilities
        },
        None if first.embedding is None else mean([answer.embedding for answer in answers]),
        None
        if first.task_weights is None
        else {t: float(mean([a.task_weights[t] for a in answers])) for t in first.task_weights},
        None
        if first.transcript is None
        else " ".join(filter(None, (answer.transcript for answer in answers))),
        sum(durations),
    )


def windows_of(predictions: Sequence[Prediction]) -> Iterator[Window]:
    """The windows that follow one another through a recording."""
    start = 0.0
    for prediction in predictions:
        yield Window(start, start + prediction.duration, prediction)
        start += prediction.duration
