"""Scores for people: the console's summary and RESULTS.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sermtl import markdown
from sermtl.data.set_checks import remarks
from sermtl.data.tasks import CLOSED

FIGURES = {
    "macro_f1": "macro-F1",
    "micro_f1": "micro-F1",
    "accuracy": "accuracy",
    "uar": "UAR",
    "ece": "ECE",
    **{
        f"{task}_{key}": f"{task} {title}"
        for task in CLOSED
        for key, title in (("accuracy", "accuracy"), ("uar", "UAR"))
    },
    "wer": "WER",
    "wer_unseen": "WER, unseen sentences",
    "cer": "CER",
    "speaker_eer": "speaker EER",
}
TASKS = {
    "emotion": "emotion",
    **{task: task for task in CLOSED},
    "wer": "WER",
    "wer_unseen": "WER on unseen sentences",
    "speaker_eer": "speaker EER",
}
_FOLD_KEYS = ("macro_f1", "uar")
_CLASS_KEYS = ("precision", "recall", "f1")
SOURCES = {
    "corpus": "the corpus's transcripts",
    "whisper": "Whisper's transcripts",
    "extra": "the transcripts of --extra_labels",
}
Results = Mapping[str, Mapping[str, Any]]


def percent(figure: Mapping[str, Any]) -> str:
    """``43.2 [41.0, 45.5]``: a figure in percent, with its interval where it has one."""
    value = f"{100 * figure['value']:.1f}"
    if "low" not in figure:
        return value
    return f"{value} [{100 * figure['low']:.1f}, {100 * figure['high']:.1f}]"


def summary(results: Results) -> str:
    """Every set's figures as plain text."""
    width = max(map(len, FIGURES.values()))
    lines: list[str] = []
    for name, scores in results.items():
        lines.append(f"{name}: {_counts(scores)}")
        opened = scores.get("open", {})
        for key, title in FIGURES.items():
            if key in scores:
                aside = f"   all classes: {percent(opened[key])}" if key in opened else ""
                lines.append(f"  {title:<{width}}  {percent(scores[key])}{aside}")
        if "majority" in scores:
            lines.append(f"  {_majority(scores)}")
        lines += [f"  {note}" for note in _notes(scores)]
    return "\n".join([*lines, "in %, with 95 % intervals"])


def results_md(
    tag: str,
    results: Results,
    facts: Mapping[str, Any],
    plots: Mapping[str, Sequence[tuple[str, str]]],
) -> str:
    """The whole of RESULTS.md.

    Args:
        tag: the experiment's name.
        results: content of results.json.
        facts: from `sermtl.scoring.provenance.provenance`.
        plots: (title, file name without suffix) of the pictures of each set; those of the
            experiment under ``""``.
    """
    blocks = [f"# {tag}", _overview(results), *(_facts(facts))]
    for name, scores in results.items():
        blocks += [f"## {name}", f"{_counts(scores)}."]
        if "macro_f1" in scores:
            blocks += [_figures(scores), _majority(scores) + ".", per_class(scores)]
        else:
            blocks.append(_figures(scores))
        if "folds" in scores:
            blocks.append(_folds(scores["folds"], scores.get("models")))
        blocks += [f"{note[0].upper()}{note[1:]}." for note in _notes(scores)]
        blocks += _pictures(plots.get(name, []))
    if plots.get(""):
        blocks += ["## Data and training", *_pictures(plots[""])]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _overview(results: Results) -> str:
    """One row per set."""
    keys = [key for key in FIGURES if any(key in scores for scores in results.values())]
    rows = [
        [name, str(scores["n"]), *(percent(scores[key]) if key in scores else "" for key in keys)]
        for name, scores in results.items()
    ]
    table = markdown.table(["set", "n", *(FIGURES[key] for key in keys)], rows)
    return f"In %, with 95 % bootstrap intervals; n counts utterances with an emotion.\n\n{table}"


def _facts(facts: Mapping[str, Any]) -> list[str]:
    commands = "\n".join(facts["commands"])
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    confs = ", ".join(f"`{path}`" for path in facts["confs"])
    lines = [f"* Commit: {facts['commit']}", f"* Versions: {versions}", f"* Configuration: {confs}"]
    if facts["trained_with"]:
        lines.insert(2, f"* Trained with other versions, then and now: {facts['trained_with']}")
    if facts["parameters"]:
        total, encoder = facts["parameters"]["total"], facts["parameters"]["encoder"]
        lines.append(f"* Parameters: {total:,}, of which the encoder has {encoder:,}")
    return ["## How it was made", f"```sh\n{commands}\n```", "\n".join(lines)]


def _counts(scores: Mapping[str, Any]) -> str:
    text = f"{scores['n']} utterances with an emotion, {scores['n_unlabelled']} without"
    if "models" in scores:
        text += f", all answered by each of {scores['models']} models"
    if "n_unreadable" in scores:
        text += f", {scores['n_unreadable']} left out because their audio can't be read"
    if "outside" in scores:
        labels = ", ".join(f"{label} {n}" for label, n in scores["outside"].items())
        text += f", not scored for a label outside the classes: {labels}"
    return text


def _majority(scores: Mapping[str, Any]) -> str:
    base = scores["majority"]
    figures = ", ".join(
        f"{title} {100 * base[key]:.1f}" for key, title in FIGURES.items() if key in base
    )
    return f"always answering {base['label']!r}: {figures}"


def _figures(scores: Mapping[str, Any]) -> str:
    opened = scores.get("open")
    rows = []
    for key, title in FIGURES.items():
        if key in scores:
            row = [title, percent(scores[key])]
            rows.append([*row, percent(opened[key]) if key in opened else ""] if opened else row)
    header = ["", f"among {len(scores['labels'])} classes", "among all"] if opened else ["", "%"]
    return markdown.table(header, rows) if rows else ""


def per_class(scores: Mapping[str, Any]) -> str:
    """A test set's precision, recall and F1 by class, in percent, as Markdown."""

    def cell(values: Mapping[str, Any], key: str) -> str:
        # Nothing to find: a zero would look like failure, and the means leave the class out.
        if not values["support"] and key != "precision":
            return "–"
        return percent(values[key]) if key == "f1" else f"{100 * values[key]:.1f}"

    rows = [
        [label, *(cell(values, key) for key in _CLASS_KEYS), str(values["support"])]
        for label, values in scores["per_class"].items()
    ]
    counted = "answers" if "models" in scores else "utterances"
    return markdown.table(["class", "precision", "recall", "F1", counted], rows)


def _folds(folds: Mapping[str, Mapping[str, Any]], models: int | None) -> str:
    rows = [
        [name, str(fold["n"]), *(f"{100 * fold[k]:.1f}" if k in fold else "" for k in _FOLD_KEYS)]
        for name, fold in folds.items()
    ]
    note = "Scores are of the pooled predictions, each by the fold that did not train on it."
    if models:
        note = f"Scores are of the pooled predictions of {models} models, each of all utterances."
    return f"{note}\n\n" + markdown.table(["fold", "n", *(FIGURES[k] for k in _FOLD_KEYS)], rows)


def _notes(scores: Mapping[str, Any]) -> list[str]:
    notes = []
    units = {key: scores[key]["unit"] for key in FIGURES if "unit" in scores.get(key, {})}
    for unit in dict.fromkeys(units.values()):
        of = [FIGURES[key] for key in units if units[key] == unit]
        which = "" if len(of) == len(units) else f" ({', '.join(of)})"
        notes.append(f"intervals: bootstrap over {unit}{which}")
    if "ece" in scores:
        bins = len(scores["reliability"]["count"])
        # A resample's bins are noisier than the set's, so an interval would lie too high.
        notes.append(f"ECE over {bins} bins of equal width, without an interval")
    if "wer" in scores:
        source = " and ".join(SOURCES[s] for s in scores["wer_reference"].split("+"))
        form = ", both in Whisper's English form" if "english" in scores["wer_form"] else ""
        notes.append(f"WER on {scores['wer_n']} utterances against {source}{form}")
    if "wer_unseen" in scores:
        n = scores["wer_unseen_n"]
        notes.append(f"{n} utterances have sentences that training never saw")
    notes += [f"{t} on {scores[f'{t}_n']} utterances" for t in CLOSED if f"{t}_n" in scores]
    if "speaker_eer" in scores:
        trials = scores["speaker_eer"]["trials"]
        notes.append(
            f"speaker EER on {trials['same']} same-speaker and {trials['different']} "
            "different-speaker pairs"
        )
        left_out = scores["speaker_eer"].get("without", {})
        notes += [f"no speaker pairs of {fold}: {why}" for fold, why in left_out.items()]
    notes += remarks(scores.get("against_training", {}))
    notes += [f"no {TASKS[key]}: {why}" for key, why in scores.get("absent", {}).items()]
    return notes


def _pictures(pictures: Sequence[tuple[str, str]]) -> list[str]:
    return [
        f"**{title}** ([PDF]({name}.pdf))\n\n![{title}]({name}.png)" for title, name in pictures
    ]
