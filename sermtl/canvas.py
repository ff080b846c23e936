"""What all pictures share: sizes and fonts for a two-column page, colours, and both formats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sermtl.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN = 3.5
"""Width in inches of a column: printed unscaled, fonts have the size that they are given here."""

COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000"]
"""Okabe and Ito's, which colour-blind people tell apart."""

NUMBERS = 6  # font size of numbers at bars and in cells
STYLE = {
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "pdf.fonttype": 42,  # TrueType: publishers refuse Type 3
    "text.parse_math": False,  # a label may have dollar signs
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
}
FORMATS: dict[str, dict[str, Any]] = {
    "png": {"dpi": 300},
    "pdf": {"metadata": {"CreationDate": None}},  # the same picture is the same file
}


def files(name: str) -> list[str]:
    """What `picture` writes for a name; a suffix isn't replaced, as names may have dots."""
    return [f"{name}.{form}" for form in FORMATS]


@contextmanager
def picture(stem: Path, width: float, height: float) -> Iterator[Figure]:
    """An empty figure (inches), written in all formats as ``stem.<format>`` after the block."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        for form, options in FORMATS.items():
            with atomic_write(stem.with_name(f"{stem.name}.{form}"), "wb") as stream:
                figure.savefig(stream, format=form, **options)


def colour(k: int) -> str:
    """Of the ``k``-th series."""
    return COLOURS[k % len(COLOURS)]


def name_columns(axes: Axes, names: Sequence[str]) -> None:
    """Tick labels of classes at x = 0, 1, …, slanted where they would touch."""
    long = max(map(len, names), default=0) > 3
    slant = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if long else {}
    axes.set_xticks(range(len(names)), names, **slant)


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Tick labels of classes at y = 0, 1, …, the first on top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def legend_above(figure: Figure, axes: Axes, columns: int) -> None:
    """The legend of ``axes``, outside of it: inside it would cover data."""
    handles, labels = axes.get_legend_handles_labels()
    spacing = {"handlelength": 1.6, "columnspacing": 1.2, "handletextpad": 0.5}
    figure.legend(handles, labels, loc="outside upper center", ncols=columns, **spacing)
