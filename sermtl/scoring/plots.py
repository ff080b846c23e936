"""Pictures for RESULTS.md, in colours that colour-blind people tell apart (Okabe and Ito's)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sermtl.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000"]


def confusion_matrix(path: Path, confusion: Sequence[Sequence[int]], labels: list[str]) -> None:
    """Rows normalised, each cell with its share and count."""
    counts = np.array(confusion)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    size = 2.6 + 0.72 * len(labels)
    figure, axes = _figure(size + 0.8, size)
    image = axes.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    for i, j in np.ndindex(*counts.shape):
        colour = "black" if shares[i, j] > 0.55 else "white"
        text = f"{100 * shares[i, j]:.0f} %\n{counts[i, j]}" if totals[i, 0] else "–"
        axes.text(j, i, text, ha="center", va="center", color=colour, fontsize=8)
    rows = [f"{label} ({n})" for label, n in zip(labels, totals[:, 0], strict=True)]
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(labels)), rows)
    axes.set(xlabel="predicted", ylabel="reference (utterances)", title="Confusion matrix")
    figure.colorbar(image, ax=axes, label="share of the reference class", shrink=0.8)
    _save(figure, path)


def layer_weights(path: Path, weights: Mapping[str, Sequence[float]]) -> None:
    """Share of each encoder state in the mix; ``weights`` by fold (or one entry ``""``)."""
    figure, axes = _figure(7.5, 4)
    layers = np.arange(max(len(values) for values in weights.values()))
    width = 0.8 / len(weights)
    for k, (name, values) in enumerate(weights.items()):
        offset = (k - (len(weights) - 1) / 2) * width
        axes.bar(layers[: len(values)] + offset, values, width, color=_colour(k), label=name)
    axes.axhline(1 / len(layers), color="0.4", linestyle="--", linewidth=1, label="equal shares")
    axes.set_xticks(layers)
    if len(layers) > 14:
        axes.tick_params(axis="x", labelsize=7)
    axes.set(xlabel="encoder state (0: before the first layer)", ylabel="weight")
    axes.set_title("Layer mixing")
    _legend(axes)
    _save(figure, path)


def task_weights(
    path: Path, weights: Mapping[str, np.ndarray], references: Sequence[str], labels: list[str]
) -> None:
    """Mean share ω of each auxiliary task in the fusion, by reference emotion.

    Args:
        path: of the picture.
        weights: task -> (N,).
        references: emotion of each utterance.
        labels: classes, in order; those without utterances are left out.
    """
    emotions = np.array(references, dtype=object)
    shown = [label for label in labels if (emotions == label).any()]
    figure, axes = _figure(2.5 + 0.8 * max(len(shown), 4), 4)
    bottom = np.zeros(len(shown))
    for k, (task, values) in enumerate(weights.items()):
        heights = np.array([values[emotions == label].mean() for label in shown])
        axes.bar(shown, heights, 0.7, bottom=bottom, color=_colour(k), label=task, edgecolor="w")
        for x, (base, height) in enumerate(zip(bottom, heights, strict=True)):
            if height > 0.05:
                place = {"ha": "center", "va": "center", "color": "white" if k == 0 else "black"}
                axes.text(x, base + height / 2, f"{height:.2f}", size=8, **place)
        bottom += heights
    axes.set(xlabel="reference emotion", ylabel="mean ω", ylim=(0, 1))
    axes.set_title("Weight of the auxiliary tasks in the fusion")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    _save(figure, path)


def learning_curves(path: Path, histories: Mapping[str, list[dict[str, Any]]]) -> None:
    """Losses, and the score that selects; ``histories`` by fold (or one entry ``""``)."""
    figure, (losses, scores) = _figure(11, 4, columns=2)
    for k, (name, epochs) in enumerate(histories.items()):
        colour, prefix = _colour(k), f"{name} " if name else ""
        for phase, style in (("train", "--"), ("valid", "-")):
            points = [(e["epoch"], e[phase]["loss"]) for e in epochs if "loss" in e.get(phase, {})]
            _curve(losses, points, colour, style, f"{prefix}{phase}")
        for metric, style in (("macro_f1", "-"), ("uar", ":")):
            points = [
                (e["epoch"], e["valid"][metric]) for e in epochs if metric in e.get("valid", {})
            ]
            title = {"macro_f1": "macro-F1", "uar": "UAR"}[metric]
            _curve(scores, points, colour, style, f"{prefix}{title}")
    losses.set(xlabel="epoch", ylabel="loss", title=loss_title(histories))
    scores.set(xlabel="epoch", ylabel="score", title="Validation scores", ylim=(0, 1))
    for axes in (losses, scores):
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        _legend(axes)
    _save(figure, path)


def loss_title(histories: Mapping[str, list[dict[str, Any]]]) -> str:
    """Warns where the two losses have not the same terms: SWFC needs training's batches."""
    terms = {
        phase: {key for epochs in histories.values() for e in epochs for key in e.get(phase, {})}
        for phase in ("train", "valid")
    }
    if "loss_swfc" in terms["train"] - terms["valid"]:
        return "Loss (of training with SWFC, of validation without)"
    return "Loss"


def _curve(
    axes: Axes, points: list[tuple[int, float]], colour: str, style: str, label: str
) -> None:
    if points:
        marker = "o" if len(points) == 1 else None
        axes.plot(*zip(*points, strict=True), style, color=colour, label=label, marker=marker)


def _colour(k: int) -> str:
    return COLOURS[k % len(COLOURS)]


def _legend(axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    named = [(h, text) for h, text in zip(handles, labels, strict=True) if text]
    if named:
        # Many entries would cover the curves.
        aside = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if len(named) > 4 else {}
        axes.legend(*zip(*named, strict=True), fontsize=8, frameon=False, **aside)


def _figure(width: float, height: float, columns: int = 1) -> tuple[Figure, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns)


def _save(figure: Figure, path: Path) -> None:
    with atomic_write(path, "wb") as stream:
        figure.savefig(stream, format="png", dpi=130)
