"""The reliability diagram shows the bins that it is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from sermtl.scoring.plots.calibration import reliability_diagram


def test_bars_end_at_accuracy_and_gaps_at_confidence(
    tmp_path: Path, drawn: Callable[[], Figure]
) -> None:
    bins = {
        "count": [0, 0, 0, 0, 0, 12345, 12345, 0, 12345, 20000],
        "confidence": [*[None] * 5, 0.55, 0.66, None, 0.85, 0.93],
        "accuracy": [*[None] * 5, 0.4, 0.7, None, 0.85, 0.5],
    }
    reliability_diagram(tmp_path / "x", bins, 0.1234)
    figure = drawn()
    above, below = figure.axes
    accuracy, gaps = above.containers
    centres = [bar.get_x() + bar.get_width() / 2 for bar in accuracy]
    assert centres == pytest.approx([0.55, 0.65, 0.85, 0.95])
    assert [bar.get_height() for bar in accuracy] == [0.4, 0.7, 0.85, 0.5]
    ends = [bar.get_y() + bar.get_height() for bar in gaps]
    assert ends == pytest.approx([0.55, 0.66, 0.85, 0.93])
    assert [bar.get_height() for bar in below.containers[0]] == bins["count"]
    assert [text.get_text() for text in below.texts] == list(map(str, bins["count"]))
    assert "ECE 12.3 %" in figure.legends[0].get_texts()[1].get_text()
