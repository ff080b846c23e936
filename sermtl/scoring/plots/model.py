"""Pictures of what the model learnt to weigh: encoder layers and auxiliary tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sermtl.canvas import (
    COLUMN,
    NUMBERS,
    colour,
    legend_above,
    name_columns,
    picture,
)

MOST_TICKS = 13  # that a column's width has room for


def layer_weights(stem: Path, weights: Mapping[str, Sequence[float]]) -> None:
    """Share of each encoder state in the mix; of folds the mean, and each as a point.

    Args:
        stem: of the files.
        weights: fold (or one entry ``""``) -> (L,), sums to 1.
    """
    shares = np.array(list(weights.values()))
    layers = np.arange(shares.shape[1])
    with picture(stem, COLUMN, 2.2) as figure:
        axes = figure.subplots()
        title = "weight" if len(shares) == 1 else f"mean of {len(shares)} folds"
        axes.bar(layers, shares.mean(axis=0), 0.8, color=colour(0), label=title)
        if len(shares) > 1:
            points = {"color": colour(1), "markersize": 2, "linestyle": "none"}
            axes.plot(np.tile(layers, len(shares)), shares.ravel(), "o", label="a fold", **points)
        line = {"color": "0.35", "linestyle": "--", "linewidth": 0.8}
        axes.axhline(1 / len(layers), label="equal weights", **line)
        axes.set_xticks(layers[:: -(-len(layers) // MOST_TICKS)])
        axes.set(xlabel="encoder layer (0: its input)", ylabel="weight")
        legend_above(figure, axes, 3)


def task_weights(
    stem: Path,
    weights: Mapping[str, np.ndarray],
    references: Sequence[str],
    labels: Sequence[str],
    names: Sequence[str],
) -> None:
    """Mean share ω of each auxiliary task in the fusion, by reference emotion.

    Args:
        stem: of the files.
        weights: task -> (N,).
        references: emotion of each utterance, (N,).
        labels: the C classes; those without utterances are left out.
        names: of the C classes.
    """
    emotions = np.array(references, dtype=object)
    shown = [i for i, label in enumerate(labels) if (emotions == label).any()]
    columns = np.arange(len(shown))
    with picture(stem, COLUMN, 2.4) as figure:
        axes = figure.subplots()
        bottom = np.zeros(len(shown))
        for k, (task, values) in enumerate(weights.items()):
            means = np.array([values[emotions == labels[i]].mean() for i in shown])
            axes.bar(columns, means, 0.8, bottom=bottom, color=colour(k), label=task)
            for x, (base, mean) in enumerate(zip(bottom, means, strict=True)):
                if mean > 0.06:  # lower bars are lower than their number
                    place = {"ha": "center", "va": "center", "size": NUMBERS}
                    shade = "white" if k == 0 else "black"
                    axes.text(x, base + mean / 2, f"{mean:.2f}", color=shade, **place)
            bottom += means
        name_columns(axes, [names[i] for i in shown])
        axes.set(xlabel="reference emotion", ylabel="mean task weight ω", ylim=(0, 1))
        legend_above(figure, axes, len(weights))
