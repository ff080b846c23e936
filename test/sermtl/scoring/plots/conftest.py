"""What was drawn, to look at it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import matplotlib.image
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Figure]:
    """The figure that was saved last; no text of it is cut off or covers another."""
    figures: list[Figure] = []
    save = Figure.savefig

    def record(figure: Figure, *arguments: object, **options: object) -> None:
        figures.append(figure)
        save(figure, *arguments, **options)

    def last() -> Figure:
        _check_texts(figures[-1])
        for path in tmp_path.glob("*.png"):
            pixels = matplotlib.image.imread(path)
            for edge in (pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:]):
                assert (edge == 1).all(), f"something reaches the edge of {path}"
        return figures[-1]

    monkeypatch.setattr(Figure, "savefig", record)
    return last


def _check_texts(figure: Figure) -> None:
    figure.set_dpi(300)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks():
            if not low - 1e-9 <= tick.get_loc() <= high + 1e-9:  # there, but not drawn
                texts = [text for text in texts if text not in (tick.label1, tick.label2)]
    boxes = {text: text.get_window_extent(canvas.get_renderer()) for text in texts}
    for text, box in boxes.items():
        inside = box.x0 >= 0 and box.y0 >= 0
        inside &= box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
        assert inside, f"{text.get_text()!r} is cut off"
    upright = [text for text in texts if text.get_rotation() in (0, 90)]  # boxes of others overlap
    for one, other in combinations(upright, 2):
        a, b = boxes[one], boxes[other]
        apart = a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0
        assert apart, f"{one.get_text()!r} covers {other.get_text()!r}"
