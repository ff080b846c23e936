"""Pictures of classes: how many utterances they have, how well they are found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sermtl.canvas import (
    COLUMN,
    NUMBERS,
    colour,
    legend_above,
    name_columns,
    name_rows,
    picture,
)


def confusion_matrix(stem: Path, confusion: Sequence[Sequence[int]], names: Sequence[str]) -> None:
    """Each cell with its share of the row, and its count.

    Args:
        stem: of the files.
        confusion: (C, C), rows the reference.
        names: of the C classes.
    """
    counts = np.array(confusion)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    rows = [_with_count(name, n) for name, n in zip(names, totals[:, 0], strict=True)]
    beside, beneath = (0.45 + 0.055 * max(map(len, texts)) for texts in (rows, names))
    # A column's width where a cell then has room for five digits.
    cell = min(max((COLUMN - beside) / len(names), 0.27), 0.55)
    size = cell * len(names)
    with picture(stem, size + beside, size + beneath) as figure:
        axes = figure.subplots()
        # Cells as shapes, with gaps: viewers blur a small image that is enlarged.
        edges = np.arange(len(names) + 1) - 0.5
        look = {"cmap": "Blues", "vmin": 0, "vmax": 1, "edgecolor": "white", "linewidth": 0.8}
        axes.pcolormesh(edges, edges, shares, **look)
        for i, j in np.ndindex(*counts.shape):
            place = {"ha": "center", "color": "white" if shares[i, j] > 0.7 else "black"}
            if totals[i, 0]:
                share = f"{100 * shares[i, j]:.0f}%"
                axes.text(j, i - 0.02, share, va="bottom", size=6.5, **place)
                axes.text(j, i + 0.08, str(counts[i, j]), va="top", size=5.5, **place)
            else:
                axes.text(j, i, "–", va="center", size=6.5, **place)
        name_columns(axes, names)
        name_rows(axes, rows)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set(xlabel="predicted", ylabel="reference (n)")


def class_f1(
    stem: Path, per_class: Sequence[Mapping[str, Any]], macro_f1: float, names: Sequence[str]
) -> None:
    """F1 of each class with its 95 % interval; none where the reference lacks the class.

    Args:
        stem: of the files.
        per_class: ``f1`` (``value``, ``low``, ``high``) and ``support`` of the C classes.
        macro_f1: their mean.
        names: of the C classes.
    """
    with picture(stem, COLUMN, max(1.4, 0.75 + 0.2 * len(names))) as figure:
        axes = figure.subplots()
        present = [y for y, scores in enumerate(per_class) if scores["support"]]
        found = [per_class[y]["f1"] for y in present]
        ends = [[f1[end] for f1 in found] for end in ("low", "high")]
        # No error bars: a percentile interval needn't hold the value, and those refuse that.
        look = {"color": colour(0), "clip_on": False}  # whole markers at 0 and 1
        axes.hlines(present, *ends, linewidth=1.2, label="95 % interval", **look)
        for side in ends:
            axes.plot(side, present, "|", markersize=5, **look)
        axes.plot([f1["value"] for f1 in found], present, "o", label="F1", **look)
        line = {"color": "0.35", "linestyle": "--", "linewidth": 0.8}
        axes.axvline(macro_f1, label=f"macro-F1 {macro_f1:.3f}", **line)
        rows = [_with_count(n, s["support"]) for n, s in zip(names, per_class, strict=True)]
        name_rows(axes, rows)
        axes.set(xlabel="F1", ylabel="class (n)", xlim=(0, 1))
        axes.grid(axis="x", color="0.9", linewidth=0.5)
        axes.set_axisbelow(True)
        legend_above(figure, axes, 3)


def class_distribution(
    stem: Path,
    counts: Mapping[str, Mapping[str, float]],
    labels: Sequence[str],
    names: Sequence[str],
    folds: int = 1,
) -> None:
    """Share of each class in each set, so that small sets compare with large ones, and its count.

    Args:
        stem: of the files.
        counts: set -> label -> utterances, means over the folds.
        labels: the C classes.
        names: of the C classes.
        folds: over which the counts are means.
    """
    height = 0.8 / len(counts)
    columns = len(counts) if len(counts) < 4 else 2
    around = 0.75 + 0.15 * -(-len(counts) // columns)  # the legend's lines, and the axis
    with picture(stem, COLUMN, around + len(labels) * (0.1 + 0.11 * len(counts))) as figure:
        axes = figure.subplots()
        for k, (title, of) in enumerate(counts.items()):
            numbers = np.array([of.get(label, 0) for label in labels])
            total = numbers.sum()
            shares = 100 * numbers / max(total, 1)
            rows = np.arange(len(labels)) + (k - (len(counts) - 1) / 2) * height
            label = f"{title} ({total:,.0f})"
            axes.barh(rows, shares, 0.9 * height, color=colour(k), label=label)
            for y, share, number in zip(rows, shares, numbers, strict=True):
                axes.annotate(
                    f"{number:,.0f}",
                    (share, y),
                    (2, 0),
                    textcoords="offset points",
                    va="center",
                    size=NUMBERS,
                )
        name_rows(axes, names)
        axes.margins(x=0.15)  # for the longest bar's number
        mean = f",\nmean of {folds} folds" if folds > 1 else ""
        axes.set(xlabel=f"share of the set in % (numbers: utterances{mean})")
        legend_above(figure, axes, columns)


def _with_count(name: str, count: int) -> str:
    return f"{name} ({count})"
