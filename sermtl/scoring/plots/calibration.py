"""Picture of calibration: does a model that is 80 % sure answer right four times out of five?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sermtl.canvas import COLUMN, colour, legend_above, picture


def reliability_diagram(
    stem: Path, bins: Mapping[str, Sequence[float | None]], calibration_error: float
) -> None:
    """Accuracy over confidence by bin, the gap to the diagonal, and how many answers a bin has.

    Args:
        stem: of the files.
        bins: as `sermtl.scoring.calibration.reliability`: ``count``, ``confidence`` and
            ``accuracy`` of B equal-width bins of 0..1.
        calibration_error: their ECE, for the legend.
    """
    counts = np.array(bins["count"])
    width, filled = 1 / len(counts), counts > 0
    centres = (np.arange(len(counts)) + 0.5) * width
    accuracy, confidence = (
        np.array(bins[key], dtype=float)[filled] for key in ("accuracy", "confidence")
    )
    with picture(stem, COLUMN, 3.6) as figure:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.6, 1])
        place = {"width": 0.92 * width, "edgecolor": "white", "linewidth": 0}
        above.bar(centres[filled], accuracy, color=colour(0), label="accuracy", **place)
        place |= {"facecolor": "none", "edgecolor": colour(5), "hatch": "//////", "linewidth": 0.8}
        above.bar(
            centres[filled],
            confidence - accuracy,
            bottom=accuracy,
            label=f"gap to confidence (ECE {100 * calibration_error:.1f} %)",
            **place,
        )
        above.plot([0, 1], [0, 1], "--", color="0.35", linewidth=0.8)
        above.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
        below.bar(centres, counts, 0.92 * width, color="0.6")
        for x, count in zip(centres, counts, strict=True):
            below.annotate(
                str(count),
                (x, count),
                (0, 1),
                textcoords="offset points",
                ha="center",
                size=5.5,
            )
        below.margins(y=0.2)  # for the highest bar's number
        below.set(xlabel="confidence of the predicted class", ylabel="answers")
        legend_above(figure, above, 2)
