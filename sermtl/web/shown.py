"""What the page says about a `Prediction`, in words and numbers for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sermtl.errors import UserError
from sermtl.prediction import Prediction

TASKS = {"gender": "gender", "speaker": "the speaker's voice", "asr": "the words"}


def emotions(prediction: Prediction, names: Mapping[str, str]) -> dict[str, float]:
    """Probability of each emotion, by its name."""
    return {names.get(label, label): score for label, score in prediction.scores.items()}


def gender(prediction: Prediction) -> dict[str, float] | None:
    """The likelier one and its probability."""
    if prediction.gender is None or prediction.gender_score is None:
        return None
    return {prediction.gender: prediction.gender_score}


def tasks(prediction: Prediction) -> dict[str, float] | None:
    """Share of each auxiliary task in the decision."""
    if prediction.task_weights is None:
        return None
    return {TASKS.get(task, task): share for task, share in prediction.task_weights.items()}


def reason(error: UserError, path: Path) -> str:
    """Why there is no answer, without the folder that the server keeps recordings in."""
    if not path.exists():
        return "The recording is no longer here. Please record or choose it again."
    return str(error).replace(str(path), path.name)
