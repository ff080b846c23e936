"""`sermtl compare`: scores of stage 7, and differences by the paired test."""

import json
import shutil

import pytest
from experiment_folders import Experiment
from matplotlib.figure import Figure

from sermtl.cli import main as cli


@pytest.fixture
def experiments(tmp_path, monkeypatch):
    """Two systems with the same data."""
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: None)
    scored = []
    for tag, seed in (("one", 7), ("other", 8)):
        experiment = Experiment(tmp_path, tag)
        for name in ("train", "test"):
            experiment.add_set(name)
        experiment.add_predictions(experiment.exp, "test", seed=seed)
        experiment.score(test_sets="test", train_set="train")
        scored.append(experiment)
    return scored


def figures(capsys, *folders):
    cli(["compare", *map(str, folders), "--json"])
    return list(json.loads(capsys.readouterr().out).values())


def test_differences_are_those_of_the_scores(experiments, capsys):
    capsys.readouterr()
    first, second = figures(capsys, *(e.exp for e in experiments))
    assert first["against_first"] == {}
    for metric, test in second["against_first"]["test"].items():
        values = [of["results"]["test"][metric]["value"] for of in (first, second)]
        assert test["difference"]["value"] == pytest.approx(values[1] - values[0])
        assert 0 < test["p"] <= 1
    assert {"macro_f1", "uar", "wer"} <= second["against_first"]["test"].keys()


def test_a_table(experiments, capsys):
    capsys.readouterr()
    cli(["compare", *(str(e.exp) for e in experiments)])
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0].startswith("test: ") and "macro-F1" in lines[1]
    assert lines[2].startswith(str(experiments[0].exp)) and "[" in lines[2]
    assert lines[3].startswith(str(experiments[1].exp))
    assert ", p " in lines[4] and said.err == ""


def test_a_system_alone_has_no_differences(experiments, capsys):
    (alone,) = figures(capsys, experiments[0].exp)
    assert alone["against_first"] == {} and "test" in alone["results"]


def test_where_the_data_are_gone_scores_are_shown_all_the_same(experiments, capsys):
    shutil.rmtree(experiments[0].dump)
    capsys.readouterr()
    cli(["compare", *(str(e.exp) for e in experiments)])
    said = capsys.readouterr()
    assert "no paired test: " in said.err and "macro-F1" in said.out


def test_what_is_not_scored_is_named(experiments, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli(["compare", str(experiments[0].exp), str(tmp_path)])
    assert ended.value.code == 1
    assert f"{tmp_path}/results.json is missing" in capsys.readouterr().err
