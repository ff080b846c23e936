"""When which emotion was heard, as HTML: a strip for each emotion, and a table.

Every strip is labelled, so that colours only help: there may be more emotions than colours that
colour-blind people tell apart. The drawing stretches with the page.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from html import escape

from sermtl.canvas import COLOURS
from sermtl.prediction import Prediction

STEPS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600]  # seconds between ticks
TICKS = 8  # at most
WIDTH, HEIGHT = 10_000, 100  # of a strip's own coordinates
STYLE = """\
<style>
.timeline { display: grid; grid-template-columns: max-content 1fr; gap: 4px 12px; }
.timeline span { align-self: center; text-align: right; white-space: nowrap; }
.timeline svg { display: block; width: 100%; height: 26px; background: #f0f0f0; }
.timeline .ticks { position: relative; height: 1.4em; font-size: 0.85em; }
.timeline .ticks span { position: absolute; transform: translateX(-50%); }
.timeline .ticks span:first-child { transform: none; }
.segments { max-height: 18em; overflow-y: auto; margin-top: 12px; }
.segments table { border-collapse: collapse; }
.segments th, .segments td { padding: 2px 24px 2px 0; text-align: left; }
.segments td { font-variant-numeric: tabular-nums; }
</style>"""


def timeline(prediction: Prediction, names: Mapping[str, str]) -> str:
    """A strip for each emotion, as high as it is probable, and the table of `segments`."""
    strips = "".join(
        f"<span>{escape(names.get(label, label))}</span>"
        f"{_strip(prediction, label, COLOURS[k % len(COLOURS)])}"
        for k, label in enumerate(prediction.scores)
    )
    ticks = "".join(
        f'<span style="left:{100 * second / prediction.duration:.2f}%">{clock(second)}</span>'
        for second in tick_seconds(prediction.duration)
    )
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in segments(prediction, names)
    )
    return (
        f'{STYLE}<div class="timeline">{strips}<span></span><div class="ticks">{ticks}</div></div>'
        '<div class="segments"><table><thead><tr><th>start</th><th>end</th><th>emotion</th></tr>'
        f"</thead><tbody>{rows}</tbody></table></div>"
    )


def segments(prediction: Prediction, names: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Start, end and emotion of each stretch with the same emotion."""
    return [
        (clock(s.start, 1), clock(s.end, 1), names.get(s.emotion, s.emotion))
        for s in prediction.timeline()
    ]


def tick_seconds(duration: float) -> list[int]:
    """Where the axis has labels; the last is not so near the end that it would stick out."""
    step = next((s for s in STEPS if duration / s <= TICKS), 3600 * math.ceil(duration / 28_800))
    return [second for second in range(0, math.ceil(duration), step) if second < 0.97 * duration]


def clock(seconds: float, digits: int = 0) -> str:
    """``1:02:03.4``; hours only where there are any."""
    tenths = 10**digits
    whole, part = divmod(round(seconds * tenths), tenths)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    text = f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
    return f"{text}.{part:0{digits}d}" if digits else text


def _strip(prediction: Prediction, label: str, colour: str) -> str:
    """Strong where the emotion is the likeliest, faint elsewhere."""
    strong = "".join(_bars(prediction, label, True))
    faint = "".join(_bars(prediction, label, False))
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{100 * prediction.scores[label]:.0f} % on average">'
        f'<path fill="{colour}" fill-opacity="0.35" d="{faint}"/>'
        f'<path fill="{colour}" d="{strong}"/></svg>'
    )


def _bars(prediction: Prediction, label: str, likeliest: bool) -> Iterator[str]:
    """Paths, which for hours of windows are a tenth of what as many rectangles would be."""
    for window in prediction.windows:
        if (window.prediction.emotion == label) == likeliest:
            left, right = (
                round(WIDTH * second / prediction.duration) for second in (window.start, window.end)
            )
            top = HEIGHT - round(HEIGHT * window.prediction.scores[label])
            yield f"M{left} {HEIGHT}V{top}H{right}V{HEIGHT}z"
