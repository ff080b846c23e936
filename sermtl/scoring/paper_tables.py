"""Tables 1 to 4 in the paper's form: ours with intervals, the paired test, and the published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sermtl import markdown
from sermtl.documents import read_yaml
from sermtl.scoring.ablation import PROPOSED
from sermtl.scoring.tables import SOURCES, percent

Figures = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""``[system][test set]``, from `ablation_figures`."""
Rows = Sequence[tuple[Sequence[str], str]]
"""What a row begins with, and its system."""

EMOTION = {"macro_f1": "F1 macro", "micro_f1": "F1 micro", "accuracy": "accuracy"}
TASKS = {
    "accuracy": "SER accuracy",
    "wer": "ASR WER",
    "gender_accuracy": "gender accuracy",
    "speaker_eer": "speaker EER",
}
BASELINE, LAST = "ser_only", "last_layer"
MODELS: Rows = [(["Baseline"], BASELINE), (["Proposed"], PROPOSED)]
COMPONENTS: Rows = [
    (["Baseline"], BASELINE),
    (["Ours w/o MTL"], "wo_mtl"),
    (["Ours w/o co-attention"], "wo_coattention"),
    (["Ours w/o SWFC loss"], "wo_swfc"),
    (["Ours"], PROPOSED),
]
COMBINATIONS: Rows = [
    (["✓", "×", "×", "×"], BASELINE),
    (["✓", "✓", "×", "×"], "ser_asr"),
    (["✓", "×", "✓", "×"], "ser_gender"),
    (["✓", "×", "×", "✓"], "ser_speaker"),
    (["✓", "✓", "✓", "✓"], PROPOSED),
]
MIXING = {"learnable": "Learnable", "last": "Last", "concat": "All layers side by side"}
PAPERS_MIXING = {PROPOSED: "learnable", LAST: "last"}


def read_published(path: Path) -> dict[str, Any]:
    """``conf/published.yaml``: source, recipe, and figures and notes by test set."""
    return read_yaml(path)


def ablations_md(
    figures: Figures,
    published: Mapping[str, Any],
    recipe: str,
    layer_mixing: Mapping[str, str],
    facts: Mapping[str, Any],
) -> str:
    """ABLATIONS.md: the tables, what they show, and how they were made.

    Args:
        figures: of all systems.
        published: content of ``conf/published.yaml``; shown for the recipe that it is of.
        recipe: that the systems learnt from.
        layer_mixing: of the proposed system and `LAST`.
        facts: from `sermtl.scoring.provenance.provenance`.
    """
    printed = published["figures"] if recipe == published["recipe"] else {}
    blocks = [f"# Ablations of {recipe}", _caption(published if printed else None)]
    blocks.append("\n".join(f"- {_about(t, of)}" for t, of in figures[PROPOSED].items()))
    blocks += _tables(figures, printed, layer_mixing)
    if printed:
        notes = {title: published["notes"].get(title) for title in figures[PROPOSED]}
        blocks += [f"Published figures of {t}: {note}." for t, note in notes.items() if note]
    commands = "\n".join(facts["commands"])
    blocks += ["## How it was made", f"```sh\n{commands}\n```", f"Commit: {facts['commit']}"]
    return "\n\n".join(blocks) + "\n"


def _caption(published: Mapping[str, Any] | None) -> str:
    caption = (
        "In %, with 95 % bootstrap intervals. p is of the paired bootstrap against the proposed "
        "system on the same utterances, two-sided, not corrected for the number of comparisons; "
        "the speaker EER isn't tested. Each system is one training run, so neither covers what "
        "another seed would change."
    )
    if published:
        caption += (
            f" *Published* is what the paper prints ({published['source']}): of WavLM-large "
            f"trained on {published['recipe']}, by its own `conf/train.yaml`. It doesn't say "
            "whether it chose among all classes or the test corpus's."
        )
    return caption


def _about(title: str, scores: Mapping[str, Any]) -> str:
    """A test set in a sentence."""
    if "macro_f1" not in scores:
        return f"{title}: {scores['n_unlabelled']} utterances without labels, so no figures of ours"
    text = f"{title}: {scores['n']} utterances, {len(scores['labels'])} classes"
    if "open" in scores:
        text += " of the test corpus to choose from (figures among all classes below)"
    if "models" in scores:
        text += f", all answered by each of {scores['models']} models"
    text += f"; intervals over {scores['macro_f1']['unit']}"
    if "wer" in scores:
        source = " and ".join(SOURCES[s] for s in scores["wer_reference"].split("+"))
        text += f"; WER on {scores['wer_n']} utterances against {source}"
    majority = scores["majority"]
    return (
        f"{text}; always answering {majority['label']}: F1 macro {100 * majority['macro_f1']:.1f}, "
        f"accuracy {100 * majority['accuracy']:.1f}"
    )


def _tables(
    figures: Figures, printed: Mapping[str, Any], layer_mixing: Mapping[str, str]
) -> list[str]:
    features: Rows = [([MIXING[layer_mixing[name]]], name) for name in (LAST, PROPOSED)]
    other = [name for name, mixing in PAPERS_MIXING.items() if layer_mixing[name] != mixing]
    of_the_paper = {
        title: {name: of[name] for name in of if name not in other} for title, of in printed.items()
    }
    blocks = [
        "## Table 1: baseline and proposed system",
        _table(["model"], MODELS, EMOTION, figures, printed),
        "## Table 2: multi-task learning, co-attention and SWFC",
        _table(["approach"], COMPONENTS, EMOTION, figures, printed),
        "## Table 3: combinations of tasks",
        _table(["SER", "ASR", "gender", "speaker"], COMBINATIONS, TASKS, figures, printed),
        "Systems of two tasks have SWFC and co-attention, which the paper leaves open; the "
        "baseline has neither.",
        "## Table 4: the last hidden state or all of them",
        _table(["features"], features, EMOTION, figures, of_the_paper),
    ]
    opened = {
        name: {title: scores["open"] for title, scores in sets.items() if "open" in scores}
        for name, sets in figures.items()
    }
    if opened[PROPOSED]:
        rows = [([name], name) for name in figures]
        columns = {key: EMOTION[key] for key in ("macro_f1", "accuracy")}
        blocks.append("## Among all classes of the model")
        blocks.append(_table(["system"], rows, columns, opened, {}))
    return blocks


def _table(
    lead: Sequence[str],
    systems: Rows,
    columns: Mapping[str, str],
    figures: Figures,
    printed: Mapping[str, Mapping[str, Mapping[str, float]]],
) -> str:
    """One table: a row for each test set and system, up to three columns for each figure."""
    header = ["test set", *lead]
    rows = [[title, *begins] for title in figures[PROPOSED] for begins, _ in systems]
    for key, heading in columns.items():
        cells = [
            _cells(key, figures[name].get(title, {}), printed.get(title, {}).get(name, {}))
            for title in figures[PROPOSED]
            for _, name in systems
        ]
        for index, kind in enumerate((heading, "p", f"{heading}, published")):
            column = [cell[index] for cell in cells]
            if any(column):  # no figures, no column
                header.append(kind)
                for row, cell in zip(rows, column, strict=True):
                    row.append(cell or "–")
    return markdown.table(header, rows)


def _cells(
    key: str, scores: Mapping[str, Any], published: Mapping[str, float]
) -> tuple[str, str, str]:
    """Ours in percent with its interval, p against the proposed system, and the published."""
    ours = percent(scores[key]) if key in scores else ""
    # One label and one answer per utterance: micro-F1 is accuracy, and so is its test.
    test = scores.get("against_proposed", {}).get("accuracy" if key == "micro_f1" else key)
    printed = f"{published[key]:.2f}" if key in published else ""
    return ours, p_value(test["p"]) if test else "", printed


def p_value(p: float) -> str:
    """``.032``, or ``< .001``."""
    return f"{p:.3f}".removeprefix("0") if p >= 0.001 else "< .001"
