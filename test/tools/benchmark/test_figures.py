import argparse
import importlib

import pytest


@pytest.fixture
def figures(root, monkeypatch):
    monkeypatch.syspath_prepend(root / "tools" / "benchmark")
    return importlib.import_module("figures")


@pytest.mark.parametrize(
    ("value", "aim", "verdict"),
    [
        (2.0, {"at_least": 2.0}, "reached"),
        (1.9, {"at_least": 2.0}, "missed"),
        (0.5, {"at_most": 0.5}, "reached"),
        (0.6, {"at_most": 0.5}, "missed"),
        (0.6, {}, "–"),
    ],
)
def test_a_figure_says_whether_its_aim_was_reached(figures, value, aim, verdict):
    assert figures.Figure("work", "baseline", value, **aim).cells()[-1] == verdict


def test_a_file_of_figures_becomes_a_table(figures, tmp_path, capsys, monkeypatch):
    file = tmp_path / "figures"
    made = [
        figures.Figure("a", "b", **figures.spread([1.0, 3.0, 2.0]), at_least=1.5),
        figures.Figure("c", "", 0.25, unit="s"),
    ]
    for figure in made:
        figures.report([figure], file)
    capsys.readouterr()
    monkeypatch.setattr("sys.argv", ["figures.py", str(file)])
    figures.main()
    lines = capsys.readouterr().out.splitlines()[2:]
    assert lines == [
        "| a | b | 2 [1, 3] x | ≥ 1.5 x | reached |",
        "| c | – | 0.25 s | – | – |",
    ]


def test_works_are_measured_in_turn(figures):
    calls = []
    taken = figures.in_turn({n: lambda n=n: calls.append(n) for n in "ab"}, repeats=2)
    assert calls == list("ababab")
    assert [len(times) for times in taken.values()] == [2, 2]


def test_a_file_that_can_not_be_written_is_told_before_measuring(figures, tmp_path, capsys):
    parser = argparse.ArgumentParser()
    figures.add_option(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--figures", str(tmp_path / "missing" / "figures")])
    assert "No such file or directory" in capsys.readouterr().err
