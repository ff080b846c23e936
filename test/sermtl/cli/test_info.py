"""`sermtl info` of an experiment and of the same packed."""

import json

import pytest

from sermtl.cli import main as cli
from sermtl.packing import pack


def facts(model, capsys):
    cli(["info", str(model), "--json"])
    return json.loads(capsys.readouterr().out)


def test_an_experiment_and_the_same_packed(trained, tmp_path, capsys):
    told = facts(trained, capsys)
    assert told["emotions"] == {"A": "anger", "H": "happiness", "N": "neutral"}
    assert told["tasks"] == ["emotion", "gender", "speaker", "asr"]
    assert told["architecture"] == {"type": "wavlm", "layers": 2, "width": 16}
    assert told["encoder"] is None and "results" not in told
    results = {"test": {"n": 6, "n_unlabelled": 0, "macro_f1": {"value": 0.5}}}
    archive = pack(trained, "final.pth", tmp_path / "m", "card", results)
    packed = facts(archive, capsys)
    assert packed.pop("results") == results
    told.pop("layer_weights", None), packed.pop("layer_weights", None)
    assert packed == told
    cli(["info", str(archive)])
    shown = capsys.readouterr().out
    for part in ("trained from scratch (wavlm, 2 layers of 16)", "happiness", "macro-F1", "50.0"):
        assert part in shown


def test_what_is_no_model(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli(["info", str(tmp_path)])
    assert ended.value.code == 1
    assert "neither an experiment" in capsys.readouterr().err
