"""What the growth benchmark measures with, and what it makes of costs."""

import importlib
import sys

import pytest

ALLOCATE = "x = b'1' * 200_000_000; sum(range(5_000_000))"


@pytest.fixture
def growth(root, monkeypatch):
    monkeypatch.syspath_prepend(root / "tools" / "benchmark")
    return importlib.import_module("growth")


def test_costs_are_of_the_whole_process_tree(growth, tmp_path):
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {ALLOCATE!r}])"
    cost = growth.measure([sys.executable, "-c", code], tmp_path / "log")
    idle = growth.measure([sys.executable, "-c", "pass"], tmp_path / "log")
    assert 200e6 < cost.peak < 300e6
    assert cost.cpu > idle.cpu + 0.05 and cost.wall > idle.wall
    with pytest.raises(RuntimeError, match="went wrong"):
        growth.measure([sys.executable, "-c", "raise SystemExit('went wrong')"], tmp_path / "log")


def test_an_utterance_costs_what_it_adds(growth):
    def costs(seconds, megabytes):
        return {"1": growth.Cost(wall=9.0, cpu=seconds, peak=int(megabytes * 1e6))}

    found = growth.Growth(
        costs(1.0, 100.0),
        {140: costs(1.01, 101.0), 1040: costs(2.0, 102.0), 4040: costs(7.0, 108.0)},
    )
    time, memory = found.figures("1")
    assert "1,040 utterances: 1 ms" in time.baseline  # 140 take too little to tell
    assert time.value == pytest.approx(1.5) and not time.reached
    assert memory.value == pytest.approx(2.0) and memory.unit == "kB"
