"""Pictures of classes: what is in them, and that it can be read, for few and many classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from sermtl.scoring.plots.classes import class_distribution, class_f1, confusion_matrix

NAMES = ["anger", "happiness", "sadness", "fear", "surprise", "contempt", "disgust", "neutral"]
CLASSES = [["neg", "pos"], list("AHSFUCDN"), NAMES, [*NAMES, "calm", "boredom", "frustration"]]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize("names", CLASSES, ids=len)
def test_confusions_of_large_sets_are_legible(
    names: list[str], tmp_path: Path, drawn: Callable[[], Figure]
) -> None:
    confusion = np.full((len(names), len(names)), 11111)
    confusion_matrix(tmp_path / "x", confusion, names)
    share = f"{100 / len(names):.0f}%"
    assert texts(drawn()).count(share) == len(names) ** 2
    if len(names) <= 8:
        assert drawn().get_size_inches()[0] <= 3.6  # a column's width


def test_confusions_have_shares_and_counts(tmp_path: Path, drawn: Callable[[], Figure]) -> None:
    confusion_matrix(tmp_path / "x", [[3, 1, 0], [0, 7, 0], [0, 0, 0]], ["a", "b", "c"])
    figure = drawn()
    first, second, third = texts(figure)[:6], texts(figure)[6:12], texts(figure)[12:]
    assert first == ["75%", "3", "25%", "1", "0%", "0"]
    assert second == ["0%", "0", "100%", "7", "0%", "0"]
    assert third == ["–"] * 3  # nothing to share out
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert rows == ["a (4)", "b (7)", "c (0)"]
    assert figure.axes[0].yaxis_inverted()  # the first class is on top


@pytest.mark.parametrize("names", CLASSES, ids=len)
def test_f1_of_a_class_lies_beside_its_interval(
    names: list[str], tmp_path: Path, drawn: Callable[[], Figure]
) -> None:
    scores = [
        {"f1": {"value": 0.1 * k % 1, "low": 0.05 * k % 1, "high": 1.0}, "support": 20_000 * k}
        for k in range(len(names))
    ]
    class_f1(tmp_path / "x", scores, 0.4, names)
    axes = drawn().axes[0]
    points = next(line for line in axes.lines if line.get_label() == "F1")
    expected = [(s["f1"]["value"], k) for k, s in enumerate(scores) if k]  # the first is absent
    assert [tuple(point) for point in points.get_xydata()] == expected
    ends = [segment[:, 0].tolist() for segment in axes.collections[0].get_segments()]
    assert ends == [[s["f1"]["low"], s["f1"]["high"]] for s in scores[1:]]


def test_an_interval_need_not_hold_the_value(tmp_path: Path, drawn: Callable[[], Figure]) -> None:
    class_f1(
        tmp_path / "x", [{"f1": {"value": 0.6, "low": 0.1, "high": 0.5}, "support": 1}], 1, "a"
    )
    assert drawn().axes[0].get_xlim() == (0, 1)


@pytest.mark.parametrize("sets", [1, 5])
@pytest.mark.parametrize("names", CLASSES, ids=len)
def test_distributions_compare_sets_by_share(
    sets: int, names: list[str], tmp_path: Path, drawn: Callable[[], Figure]
) -> None:
    labels = [str(k) for k in range(len(names))]
    counts = {f"Test{k}": dict.fromkeys(labels[1:], 1e4 * (k + 1)) for k in range(sets)}
    class_distribution(tmp_path / "x", counts, labels, names, folds=5)
    figure = drawn()
    axes = figure.axes[0]
    for bars in axes.containers:
        shares = [bar.get_width() for bar in bars]
        assert shares == pytest.approx([0, *[100 / (len(names) - 1)] * (len(names) - 1)])
    assert texts(figure)[:2] == ["0", "10,000"]
    assert "mean of 5 folds" in axes.get_xlabel()
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[0] == f"Test0 ({10_000 * (len(names) - 1):,})" and len(legend) == sets
