"""All scores of one test set: an entry of ``results.json``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from sermtl.data.text import normalize_text
from sermtl.data.utterance import UNKNOWN
from sermtl.errors import UserError
from sermtl.scoring import verification
from sermtl.scoring.asr import edit_counts, error_rate
from sermtl.scoring.intervals import Statistic, Units, interval, one_hot_cells, resampling_units
from sermtl.scoring.metrics import METRICS, emotion_scores, majority_baseline
from sermtl.scoring.predictions import Predicted


def on_cells(metric: Statistic, num_classes: int) -> Statistic:
    """A metric of confusion matrices (..., C, C) as one of their cells (..., C * C)."""
    return lambda sums: metric(sums.reshape(*sums.shape[:-1], num_classes, num_classes))


def set_scores(parts: Sequence[Predicted], closed_labels: list[str] | None = None) -> dict:
    """Score a test set; what can't be measured is absent.

    Args:
        parts: the set's predictions; of several folds, each with its own test utterances. Parts
            of the same name come from the same model.
        closed_labels: classes of the test corpus where those are fewer than the model's; the main
            figures are then of the likeliest among them, and ``open`` holds those of all classes.

    Returns:
        As in ``results.json``; rates are fractions of 1, and those with an interval
        {``value``, ``low``, ``high``, ``unit``}. ``absent`` tells why a figure is missing.

    Raises:
        UserError: when folds disagree in their classes or share an utterance, or a closed label
            is no class of the model or given twice.
    """
    _check(parts, closed_labels)
    classes = parts[0].classes
    labels = closed_labels if closed_labels and len(closed_labels) < len(classes) else classes
    absent: dict[str, str] = {}
    result = _emotion(parts, labels)
    if len(labels) < len(classes) and result["n"]:
        opened = _emotion(parts, classes, scored=labels)
        about_the_set = ("n", "n_unlabelled", "outside")
        result["open"] = {k: v for k, v in opened.items() if k not in about_the_set}
    if unreadable := sum(part.unreadable for part in parts):
        result["n_unreadable"] = unreadable
    if not result["n"]:
        absent["emotion"] = "no utterance has a reference label"
    for scores, reason in (_gender(parts), _words(parts), _speaker(parts)):
        result |= scores
        absent |= reason
    folds = _by_model(parts)
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


def _check(parts: Sequence[Predicted], closed_labels: list[str] | None) -> None:
    classes = parts[0].classes
    seen: dict[str, str] = {}
    for part in parts:
        if part.classes != classes:
            raise UserError(f"{part.name} predicts {part.classes}, {parts[0].name} {classes}")
        for utt_id in part.ids:
            if utt_id in seen:
                raise UserError(f"{utt_id} is tested in {seen[utt_id]} and in {part.name}")
            seen[utt_id] = part.name
    for label in closed_labels or []:
        if label not in classes:
            raise UserError(f"closed label {label!r} is none of the model's {classes}")
    if len(set(closed_labels or [])) < len(closed_labels or []):
        raise UserError(f"a closed label is given twice: {' '.join(closed_labels or [])}")


def _emotion(
    parts: Sequence[Predicted], labels: list[str], scored: list[str] | None = None
) -> dict[str, Any]:
    """Answers among ``labels``, over the utterances whose reference is one of ``scored``."""
    references = np.array(reference(parts, "emotion"), dtype=object)
    hypotheses = np.concatenate([part.emotions(labels) for part in parts])
    chosen = np.isin(references, scored or labels)
    outside = Counter(r for r in references[~chosen] if r != UNKNOWN)
    result: dict[str, Any] = {
        "n": int(chosen.sum()),
        "n_unlabelled": int((references == UNKNOWN).sum()),
    }
    if outside:  # labels that the answer can't be: they are told, not scored
        result["outside"] = dict(sorted(outside.items()))
    if not chosen.any():
        return result
    indices = [labels.index(label) for label in references[chosen]]
    result |= _classified(parts, chosen, indices, hypotheses[chosen], len(labels), METRICS)
    confusion = result["confusion"]
    detail = emotion_scores(np.array(confusion), labels)
    result |= {"per_class": detail["per_class"], "labels": labels}
    result["majority"] = majority_baseline(np.array(confusion), labels)
    return result


def _classified(
    parts: Sequence[Predicted],
    scored: np.ndarray,
    references: Sequence[int],
    hypotheses: Sequence[int],
    num_classes: int,
    metrics: dict[str, Statistic],
) -> dict[str, Any]:
    """Metrics with intervals, and the confusion matrix, of the utterances that are scored."""
    rows = one_hot_cells(np.asarray(references), np.asarray(hypotheses), num_classes)
    statistics = {name: on_cells(metric, num_classes) for name, metric in metrics.items()}
    figures = interval(rows, _units(parts, scored), statistics)
    confusion = rows.sum(axis=0).reshape(num_classes, num_classes)
    return {**figures, "confusion": confusion.tolist()}


def _units(parts: Sequence[Predicted], scored: np.ndarray) -> Units:
    speakers = reference(parts, "speaker")
    return resampling_units([speakers[i] for i in np.flatnonzero(scored)])


def _gender(parts: Sequence[Predicted]) -> tuple[dict[str, Any], dict[str, str]]:
    if any("gender" not in part.answers for part in parts):
        return {}, {"gender": "the model does not tell genders"}
    references = reference(parts, "gender")
    scored = np.array([value != UNKNOWN for value in references])
    if not scored.any():
        return {}, {"gender": "no utterance has a reference label"}
    answers = [value for part in parts for value in part.answers["gender"]]
    pairs = [(references[i], answers[i]) for i in np.flatnonzero(scored)]
    labels = sorted({label for pair in pairs for label in pair})
    indices = np.array([[labels.index(label) for label in pair] for pair in pairs])
    metrics = {f"gender_{name}": METRICS[name] for name in ("accuracy", "uar")}
    scores = _classified(parts, scored, indices[:, 0], indices[:, 1], len(labels), metrics)
    del scores["confusion"]
    return {**scores, "gender_n": len(pairs)}, {}


def _words(parts: Sequence[Predicted]) -> tuple[dict[str, Any], dict[str, str]]:
    if any("transcript" not in part.answers for part in parts):
        return {}, {"wer": "the model does not transcribe"}
    texts = [normalize_text(t) if t != UNKNOWN else "" for t in reference(parts, "text")]
    scored = np.array([bool(text) for text in texts])
    if not scored.any():
        return {}, {"wer": "no utterance has a reference transcript"}
    answers = [value for part in parts for value in part.answers["transcript"]]
    keep = np.flatnonzero(scored)
    references, hypotheses = [texts[i] for i in keep], [answers[i] for i in keep]
    sources = [source for part in parts for source in part.text_sources]
    words = edit_counts(references, hypotheses)
    characters = edit_counts(references, hypotheses, characters=True)
    units = _units(parts, scored)
    result = {
        **interval(words, units, {"wer": error_rate}),
        **interval(characters, units, {"cer": error_rate}),
        "wer_n": len(keep),
        "wer_reference": "+".join(sorted({sources[i] for i in keep})),
    }
    if any(part.training_texts is None for part in parts):
        return result, {"wer_unseen": "the training sets are not named"}
    seen_in = [part.training_texts or () for part in parts for _ in part.ids]
    unseen = np.array([text not in seen for text, seen in zip(texts, seen_in, strict=True)])
    unseen &= scored
    if unseen.sum() == scored.sum():
        return result, {}
    if not unseen.any():
        return result, {"wer_unseen": "training saw every sentence of the set"}
    statistics = {"wer_unseen": error_rate}
    result |= interval(words[unseen[keep]], _units(parts, unseen), statistics)
    return {**result, "wer_unseen_n": int(unseen.sum())}, {}


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
    rate = verification.pooled_error_rate(models, resampling_units(reference(members, "speaker")))
    pairs = {
        "same": sum(int(model.same.sum()) for model in models),
        "different": sum(int((~model.same).sum()) for model in models),
    }
    without = {"without": reasons} if reasons else {}
    return {"speaker_eer": {**rate, "trials": pairs, **without}}, {}
