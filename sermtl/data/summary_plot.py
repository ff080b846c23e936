"""A folder's summary as a picture, in colours that colour-blind people tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sermtl.canvas import COLOURS
from sermtl.data.summary import SetSummary, Summary, labels
from sermtl.data.utterance import UNKNOWN
from sermtl.errors import UserError
from sermtl.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".png", ".pdf", ".svg")
BINS = 24
WIDEST = 40  # inches
LETTERS = 8  # that fit beside each other on an inch of the figure's width
LONG = 99.5  # percentile of the durations; one very long clip would squeeze all others


def picture_format(path: Path) -> str:
    """What matplotlib calls the format that a file name asks for.

    Raises:
        UserError: for another ending.
    """
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{path}: a picture's name ends in {', '.join(FORMATS)}")
    return path.suffix.lower()[1:]


def plot(path: Path, summary: Summary) -> None:
    """Each set's share of the emotions, and how long its utterances are."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    form = picture_format(path)
    sets = [one for one in summary.sets if one.utterances]
    emotions = [
        label
        for label in labels(one.emotions for one in sets)
        if label != UNKNOWN or summary.total.emotions[label]
    ]
    figure = Figure(
        figsize=(min(max(6, 2.2 + 0.16 * len(emotions) * len(sets)), WIDEST), 7),
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1)
    colours = _colours(len(sets))
    _shares(upper, sets, emotions, colours)
    _durations(lower, sets, colours)
    figure.legend(*upper.get_legend_handles_labels(), loc="outside right upper", frameon=False)
    with atomic_write(path, "wb") as stream:
        figure.savefig(stream, format=form, dpi=130)


def _shares(
    axes: Axes, sets: Sequence[SetSummary], emotions: list[str], colours: list[str]
) -> None:
    width = 0.8 / max(len(sets), 1)
    for k, one in enumerate(sets):
        shares = [100 * one.emotions[label] / one.utterances for label in emotions]
        places = np.arange(len(emotions)) + (k - (len(sets) - 1) / 2) * width
        axes.bar(
            places,
            shares,
            width,
            color=colours[k],
            edgecolor="white",
            linewidth=0.5,
            label=f"{one.name} ({one.utterances})",
        )
    axes.set_xticks(range(len(emotions)), emotions)
    place = LETTERS * axes.figure.get_figwidth() / max(len(emotions), 1)
    if max(map(len, emotions), default=0) > place:
        axes.tick_params(axis="x", labelrotation=30)
    axes.set(xlabel="emotion", ylabel="share of the set's utterances (%)", title="Emotions")


def _durations(axes: Axes, sets: Sequence[SetSummary], colours: list[str]) -> None:
    durations = np.array([d for one in sets for d in one.durations])
    title = "duration (s)"
    if len(durations):
        longest = np.percentile(durations, LONG)
        if durations.max() > 1.5 * longest:
            title += f"; the last bin has all from {longest:.1f} s on"
        else:
            longest = durations.max()
        limits = (durations.min(), longest)
        for one, colour in zip(sets, colours, strict=True):
            values = np.minimum(one.durations, longest)
            weights = np.full(len(values), 100 / len(values))
            axes.hist(
                values, BINS, limits, weights=weights, histtype="step", color=colour, linewidth=1.5
            )
    axes.set(xlabel=title, ylabel="share of the set's utterances (%)", title="Durations")


def _colours(count: int) -> list[str]:
    """As many as there are sets; beyond the named ones, steps from dark to light."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    if count <= len(COLOURS):
        return COLOURS[:count]
    return [to_hex(colormaps["cividis"](k / (count - 1))) for k in range(count)]
