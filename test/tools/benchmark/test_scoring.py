"""The scoring benchmark's loops compute what the package does."""

import importlib

import numpy as np
import pytest

from sermtl.data.edit_distance import error_rate
from sermtl.scoring.intervals import paired_test, resampling_units
from sermtl.scoring.scores import set_scores


@pytest.fixture
def benchmark(root, monkeypatch):
    monkeypatch.syspath_prepend(root / "tools" / "benchmark")
    return importlib.import_module("scoring")


def test_the_loop_over_resamples_gives_the_same_intervals(benchmark):
    part = benchmark.answers(600, 40)
    samples = np.array(benchmark.plain_loop(part, 300)())
    scores = set_scores([benchmark.emotions_only(part)])
    for column, name in enumerate(("macro_f1", "micro_f1", "accuracy", "uar")):
        limits = np.percentile(samples[:, column], [2.5, 97.5])
        assert [scores[name]["low"], scores[name]["high"]] == pytest.approx(limits, abs=0.015)


def test_utterances_drawn_one_by_one_give_the_same_paired_test(benchmark):
    counts = benchmark.word_counts(3000)
    units = resampling_units(["<unk>"] * 3000)
    test = paired_test(*counts, units, {"wer": error_rate}, 4000)["wer"]["difference"]
    limits = np.percentile(benchmark.draw_utterances(*counts, 1000), [2.5, 97.5])
    assert [test["low"], test["high"]] == pytest.approx(limits, abs=0.001)
