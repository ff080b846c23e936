"""Tables 1 to 4 in the paper's form: ours with intervals, the paired test, and the published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from sermtl.scoring.ablation import PROPOSED
from sermtl.scoring.tables import markdown_table, percent

EMOTION = {"macro_f1": "F1 macro", "micro_f1": "F1 micro", "accuracy": "accuracy"}
TASKS = {
    "accuracy": "SER accuracy",
    "wer": "ASR WER",
    "gender_accuracy": "gender accuracy",
    "speaker_eer": "speaker EER",
}
BASELINE = "ser_only"
MODELS = {"Baseline": BASELINE, "Proposed": PROPOSED}
COMPONENTS = {
    "Baseline": BASELINE,
    "Ours w/o MTL": "wo_mtl",
    "Ours w/o co-attention": "wo_coattention",
    "Ours w/o SWFC loss": "wo_swfc",
    "Ours": PROPOSED,
}
COMBINATIONS = {
    ("✓", "×", "×", "×"): BASELINE,
    ("✓", "✓", "×", "×"): "ser_asr",
    ("✓", "×", "✓", "×"): "ser_gender",
    ("✓", "×", "×", "✓"): "ser_speaker",
    ("✓", "✓", "✓", "✓"): PROPOSED,
}
MIXING = {"learnable": "Learnable", "last": "Last", "concat": "All layers side by side"}


def ablations_md(
    figures: Mapping[str, Mapping[str, Mapping[str, Any]]],
    published: Mapping[str, Any],
    recipe: str,
    layer_mixing: Mapping[str, str],
    facts: Mapping[str, Any],
) -> str:
    """ABLATIONS.md: the tables, what they show, and how they were made.

    Args:
        figures, published, recipe, layer_mixing: as `paper_tables`.
        facts: from `sermtl.scoring.provenance.provenance`.
    """
    sizes = ", ".join(f"{title} {scores['n']}" for title, scores in figures[PROPOSED].items())
    caption = (
        f"In %, with 95 % bootstrap intervals; utterances with an emotion: {sizes}. p is of the "
        "paired bootstrap against the proposed system on the same utterances, two-sided, not "
        "corrected for the number of comparisons; each system is one training run, so neither "
        "covers what another seed would change."
    )
    tables = paper_tables(figures, published, recipe, layer_mixing)
    if "| published" in tables:
        caption += f" *Published* is what the paper prints ({published['source']})."
    commands = "\n".join(facts["commands"])
    made = f"## How it was made\n\n```sh\n{commands}\n```\n\nCommit: {facts['commit']}"
    return f"# Ablations of {recipe}\n\n{caption}\n\n{tables}\n{made}\n"


def paper_tables(
    figures: Mapping[str, Mapping[str, Mapping[str, Any]]],
    published: Mapping[str, Any],
    recipe: str,
    layer_mixing: Mapping[str, str],
) -> str:
    """The four tables as Markdown.

    Args:
        figures: from `ablation_figures`.
        published: content of ``conf/published.yaml``.
        recipe: whose own test sets they are.
        layer_mixing: of each system.
    """
    keys = {title: _key(published, recipe, title) for title in figures[PROPOSED]}
    printed = {title: published["figures"].get(key, {}) for title, key in keys.items()}
    features = {MIXING[layer_mixing[name]]: name for name in ("last_layer", PROPOSED)}
    tables = {
        "1: baseline and proposed system": (("model",), MODELS, EMOTION),
        "2: multi-task learning, co-attention and SWFC": (("approach",), COMPONENTS, EMOTION),
        "3: combinations of tasks": (("SER", "ASR", "gender", "speaker"), COMBINATIONS, TASKS),
        "4: the last hidden state or all of them": (("features",), features, EMOTION),
    }
    blocks = []
    for title, (lead, systems, columns) in tables.items():
        blocks += [f"## Table {title}", _table(lead, systems, columns, figures, printed)]
    notes = {title: published["notes"].get(key) for title, key in keys.items()}
    blocks += [f"Published figures of {title}: {note}." for title, note in notes.items() if note]
    return "\n\n".join(blocks) + "\n"


def read_published(path: Path) -> dict[str, Any]:
    """``conf/published.yaml``: ``source``, ``figures`` in percent, and ``notes``, by test set."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _key(published: Mapping[str, Any], recipe: str, title: str) -> str:
    """The name of a test set in the data file: with its recipe, which those of others have."""
    own = f"{recipe}_{title}"
    return own if own in published["figures"] else title


def _table(
    lead: Sequence[str],
    systems: Mapping[Any, str],
    columns: Mapping[str, str],
    figures: Mapping[str, Mapping[str, Mapping[str, Any]]],
    printed: Mapping[str, Mapping[str, Mapping[str, float]]],
) -> str:
    """One table: a row for each test set and system, up to three columns for each figure."""
    header = ["test set", *lead]
    rows = [
        [title, *([name] if isinstance(name, str) else name)]
        for title in figures[PROPOSED]
        for name in systems
    ]
    for key, heading in columns.items():
        cells = [
            _cells(key, figures[system].get(title, {}), printed[title].get(system, {}))
            for title in figures[PROPOSED]
            for system in systems.values()
        ]
        for index, kind in enumerate((heading, "p", "published")):
            column = [cell[index] for cell in cells]
            if any(column):  # no figures, no column
                header.append(kind)
                for row, cell in zip(rows, column, strict=True):
                    row.append(cell or "–")
    return markdown_table(header, rows)


def _cells(
    key: str, scores: Mapping[str, Any], published: Mapping[str, float]
) -> tuple[str, str, str]:
    """Ours in percent with its interval, p against the proposed system, and the published."""
    ours = percent(scores[key]) if key in scores else ""
    # The paper's systems differ as much in micro-F1 as in accuracy: they are the same.
    test = scores.get("against_proposed", {}).get("accuracy" if key == "micro_f1" else key)
    printed = f"{published[key]:.2f}" if key in published else ""
    return ours, p_value(test["p"]) if test else "", printed


def p_value(p: float) -> str:
    """``.032``, or ``< .001``."""
    return f"{p:.3f}".removeprefix("0") if p >= 0.001 else "< .001"
