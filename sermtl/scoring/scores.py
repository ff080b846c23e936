"""All scores of one test set: an entry of ``results.json``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import compress
from typing import Any

import numpy as np

from sermtl.data.edit_distance import edit_counts, error_rate
from sermtl.data.set_checks import pooled
from sermtl.data.tasks import CLOSED
from sermtl.data.utterance import UNKNOWN
from sermtl.errors import UserError
from sermtl.scoring import verification
from sermtl.scoring.calibration import confidences, expected_calibration_error, reliability
from sermtl.scoring.intervals import Statistic, Units, interval, one_hot_cells, resampling_units
from sermtl.scoring.metrics import METRICS, emotion_scores, f1, majority_baseline
from sermtl.scoring.predictions import Predicted


def on_cells(metric: Statistic, num_classes: int) -> Statistic:
    """A metric of confusion matrices (..., C, C) as one of their cells (..., C * C)."""
    return lambda sums: metric(sums.reshape(*sums.shape[:-1], num_classes, num_classes))


def set_scores(
    parts: Sequence[Predicted], closed_labels: list[str] | None = None, shared: bool = False
) -> dict:
    """Score a test set; what can't be measured is absent.

    Args:
        parts: the set's predictions; of several folds, each with its own test utterances. Parts
            of the same name come from the same model.
        closed_labels: classes of the test corpus where those are fewer than the model's; the main
            figures are then of the likeliest among them, and ``open`` holds those of all classes.
        shared: several models may answer the same utterances; rates are then over all answers.

    Returns:
        As in ``results.json``; rates are fractions of 1, and those with an interval
        {``value``, ``low``, ``high``, ``unit``}. ``absent`` tells why a figure is missing. Numbers
        ``n`` are of utterances, ``models`` of models where those are shared.

    Raises:
        UserError: when folds disagree in their classes or, unless ``shared``, have an utterance
            in common, or a closed label is no class of the model or given twice.
    """
    _check(parts, closed_labels, shared)
    classes = parts[0].classes
    labels = closed_labels if closed_labels and len(closed_labels) < len(classes) else classes
    absent: dict[str, str] = {}
    result = _emotion(parts, labels)
    if len(labels) < len(classes) and result["n"]:
        opened = _emotion(parts, classes, scored=labels)
        about_the_set = ("n", "n_unlabelled", "outside")
        result["open"] = {k: v for k, v in opened.items() if k not in about_the_set}
    folds = _by_model(parts)
    if shared and len(folds) > 1:
        result["models"] = len(folds)
    answered = next(iter(folds.values())) if shared else parts
    if unreadable := sum(part.unreadable for part in answered):
        result["n_unreadable"] = unreadable
    if against := pooled(part.against_training for part in parts):
        result["against_training"] = against
    if not result["n"]:
        absent["emotion"] = "no utterance has a reference label"
    closed = [_closed(parts, task) for task in CLOSED]
    for scores, reason in (*closed, _words(parts), _speaker(parts)):
        result |= scores
        absent |= reason
    if len(folds) > 1:
        result["folds"] = {
            name: {"n": fold["n"], **{m: fold[m]["value"] for m in METRICS if m in fold}}
            for name, members in folds.items()
            for fold in [_emotion(members, labels)]
        }
    return {**result, "absent": absent} if absent else result


def reference(parts: Sequence[Predicted], label: str) -> list[str]:
    """One kind of reference label over all parts."""
    return [value for part in parts for value in part.references[label]]


def _by_model(parts: Sequence[Predicted]) -> dict[str, list[Predicted]]:
    models: dict[str, list[Predicted]] = {}
    for part in parts:
        models.setdefault(part.name, []).append(part)
    return models


def _check(parts: Sequence[Predicted], closed_labels: list[str] | None, shared: bool) -> None:
    classes = parts[0].classes
    seen: dict[str, str] = {}
    for part in parts:
        if part.classes != classes:
            raise UserError(f"{part.name} predicts {part.classes}, {parts[0].name} {classes}")
        for utt_id in part.ids:
            if utt_id in seen and (not shared or seen[utt_id] == part.name):
                raise UserError(f"{utt_id} is tested in {seen[utt_id]} and in {part.name}")
            seen[utt_id] = part.name
    for label in closed_labels or []:
        if label not in classes:
            raise UserError(f"closed label {label!r} is none of the model's {classes}")
    if len(set(closed_labels or [])) < len(closed_labels or []):
        raise UserError(f"a closed label is given twice: {' '.join(closed_labels or [])}")


def emotion_cells(
    parts: Sequence[Predicted], labels: list[str], scored: list[str] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Each answer's confusion matrix of emotions.

    Args:
        parts: the predictions.
        labels: classes that the answer is the likeliest of.
        scored: references that count, if not all of ``labels``.

    Returns:
        (N,) bool, the answers that are scored, and their (n, C * C) cells.
    """
    references, wanted = reference(parts, "emotion"), set(scored or labels)
    hypotheses = np.concatenate([part.emotions(labels) for part in parts])
    chosen = np.array([label in wanted for label in references])
    number = {label: i for i, label in enumerate(labels)}
    indices = np.array([number[label] for label in compress(references, chosen)], dtype=np.int64)
    return chosen, one_hot_cells(indices, hypotheses[chosen], len(labels))


def closed_classes(parts: Sequence[Predicted], task: str) -> set[str]:
    """The classes that occur, in references or answers."""
    answers = {value for part in parts for value in part.answers[task]}
    return answers | (set(reference(parts, task)) - {UNKNOWN})


def closed_cells(
    parts: Sequence[Predicted], task: str, labels: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Each answer's confusion matrix of a task of `CLOSED`, as `emotion_cells`."""
    references = reference(parts, task)
    answers = [value for part in parts for value in part.answers[task]]
    chosen = np.array([value != UNKNOWN for value in references])
    number = {label: i for i, label in enumerate(labels)}
    told, found = (
        np.array([number[label] for label in compress(side, chosen)], dtype=np.int64)
        for side in (references, answers)
    )
    return chosen, one_hot_cells(told, found, len(labels))


def word_counts(
    parts: Sequence[Predicted], characters: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Each transcript's errors: (N,) bool, those with a reference, and their (n, 2) counts."""
    texts = reference(parts, "text")
    chosen = np.array([text != UNKNOWN for text in texts])
    answers = [value for part in parts for value in part.answers["transcript"]]
    pairs = (list(compress(side, chosen)) for side in (texts, answers))
    return chosen, edit_counts(*pairs, characters)


def units_of(parts: Sequence[Predicted], chosen: np.ndarray) -> Units:
    """What the bootstrap draws of the chosen answers."""
    columns = reference(parts, "speaker"), _ids(parts)
    return resampling_units(*(list(compress(column, chosen)) for column in columns))


def _ids(parts: Sequence[Predicted]) -> list[str]:
    return [utt_id for part in parts for utt_id in part.ids]


def _number(parts: Sequence[Predicted], chosen: np.ndarray) -> int:
    """Of utterances: several models may have answered the same one."""
    return len(set(compress(_ids(parts), chosen)))


def _emotion(
    parts: Sequence[Predicted], labels: list[str], scored: list[str] | None = None
) -> dict[str, Any]:
    """Answers among ``labels``, over the utterances whose reference is one of ``scored``."""
    references = reference(parts, "emotion")
    chosen, cells = emotion_cells(parts, labels, scored)
    of_utterance = dict(zip(_ids(parts), references, strict=True))
    counted = Counter(of_utterance.values())
    result: dict[str, Any] = {"n": _number(parts, chosen), "n_unlabelled": counted.pop(UNKNOWN, 0)}
    # Labels that the answer can't be are told, not scored.
    if outside := {k: n for k, n in sorted(counted.items()) if k not in (scored or labels)}:
        result["outside"] = outside
    if not chosen.any():
        return result
    of_class = {f"f1_{label}": _class_f1(i) for i, label in enumerate(labels)}
    rates = _rates(parts, chosen, cells, len(labels), METRICS | of_class)
    result |= {name: rates[name] for name in METRICS}
    confusion = cells.sum(axis=0).reshape(len(labels), len(labels))
    per_class = emotion_scores(confusion, labels)["per_class"]
    for label, figures in per_class.items():
        figures["f1"] = rates[f"f1_{label}"]
    result |= {"confusion": confusion.tolist(), "per_class": per_class, "labels": labels}
    result["majority"] = majority_baseline(confusion, labels)
    correct = cells[:, :: len(labels) + 1].any(axis=1)  # the diagonal
    bins = reliability(confidences(parts, labels)[chosen], correct)
    return result | {"ece": {"value": expected_calibration_error(bins)}, "reliability": bins}


def _class_f1(i: int) -> Statistic:
    return lambda confusion: f1(confusion)[..., i]


def _rates(
    parts: Sequence[Predicted],
    chosen: np.ndarray,
    cells: np.ndarray,
    num_classes: int,
    metrics: dict[str, Statistic],
) -> dict[str, Any]:
    """Metrics of confusion matrices, with intervals."""
    statistics = {name: on_cells(metric, num_classes) for name, metric in metrics.items()}
    return interval(cells, units_of(parts, chosen), statistics)


def _closed(parts: Sequence[Predicted], task: str) -> tuple[dict[str, Any], dict[str, str]]:
    if any(task not in part.answers for part in parts):
        return {}, {task: f"the model does not tell {task}s"}
    labels = sorted(closed_classes(parts, task))
    chosen, cells = closed_cells(parts, task, labels)
    if not chosen.any():
        return {}, {task: "no utterance has a reference label"}
    metrics = {f"{task}_{name}": METRICS[name] for name in ("accuracy", "uar")}
    scores = _rates(parts, chosen, cells, len(labels), metrics)
    return {**scores, f"{task}_n": _number(parts, chosen)}, {}


def _words(parts: Sequence[Predicted]) -> tuple[dict[str, Any], dict[str, str]]:
    if any("transcript" not in part.answers for part in parts):
        return {}, {"wer": "the model does not transcribe"}
    chosen, words = word_counts(parts)
    if not chosen.any():
        return {}, {"wer": "no utterance has a reference transcript"}
    units = units_of(parts, chosen)
    sources = [source for part in parts for source in part.text_sources]
    result = {
        **interval(words, units, {"wer": error_rate}),
        **interval(word_counts(parts, characters=True)[1], units, {"cer": error_rate}),
        "wer_n": _number(parts, chosen),
        "wer_reference": "+".join(sorted(set(compress(sources, chosen)))),
        "wer_form": "+".join(sorted({part.text_form for part in parts})),
    }
    if any(part.training_texts is None for part in parts):
        return result, {"wer_unseen": "the training sets are not named"}
    seen_in = [part.training_texts or () for part in parts for _ in part.ids]
    texts = reference(parts, "text")
    unseen = np.array([text not in seen for text, seen in zip(texts, seen_in, strict=True)])
    unseen &= chosen
    if unseen.sum() == chosen.sum():
        return result, {}
    if not unseen.any():
        return result, {"wer_unseen": "training saw every sentence of the set"}
    statistics = {"wer_unseen": error_rate}
    result |= interval(words[unseen[chosen]], units_of(parts, unseen), statistics)
    return {**result, "wer_unseen_n": _number(parts, unseen)}, {}


def _speaker(parts: Sequence[Predicted]) -> tuple[dict[str, Any], dict[str, str]]:
    """Equal error rate; pairs and thresholds are a fold's own, as its embedding space is."""
    if any(part.embeddings is None for part in parts):
        return {}, {"speaker_eer": "the model has no speaker embeddings"}
    models, reasons, offset = [], {}, 0
    for name, members in _by_model(parts).items():
        speakers = reference(members, "speaker")
        if reason := verification.why_no_trials(speakers):
            reasons[name] = reason
        else:
            first, second, same = verification.trials(speakers)
            embeddings = np.concatenate([part.embeddings for part in members])
            cosines = verification.cosine(embeddings, first, second)
            models.append(verification.Trials(first + offset, second + offset, same, cosines))
        offset += len(speakers)
    if not models:
        return {}, {"speaker_eer": next(iter(reasons.values()))}
    members = [part for group in _by_model(parts).values() for part in group]
    units = resampling_units(reference(members, "speaker"), _ids(members))
    rate = verification.pooled_error_rate(models, units)
    pairs = {
        "same": sum(int(model.same.sum()) for model in models),
        "different": sum(int((~model.same).sum()) for model in models),
    }
    without = {"without": reasons} if reasons else {}
    return {"speaker_eer": {**rate, "trials": pairs, **without}}, {}
