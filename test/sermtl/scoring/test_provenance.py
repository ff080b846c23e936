"""The facts that a results page opens with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sermtl.errors import UserError
from sermtl.scoring.provenance import provenance
from sermtl.versions import versions


def test_paths_are_shown_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "project"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.delenv("SERMTL_COMMAND", raising=False)
    arguments = ["--expdir", str(here / "exp" / "a b"), "--dumpdir", str(tmp_path / "dump")]
    facts = provenance({"": here / "exp" / "a b"}, "sermtl.bin.score", [*arguments, "--fold", ""])
    shown = f"--expdir 'exp/a b' --dumpdir {tmp_path}/dump --fold ''"
    assert facts["commands"] == [f"python -m sermtl.bin.score {shown}"]
    assert facts["confs"] == ["exp/a b/conf.yaml"]
    assert facts["parameters"] is None
    assert {"commit": facts["commit"], **facts["versions"]} == versions()
    assert "commit" not in facts["versions"]
    monkeypatch.setenv("SERMTL_COMMAND", " ./run.sh --stage 7 ")
    facts = provenance({"": here}, "sermtl.bin.score", [])
    assert facts["commands"] == ["./run.sh --stage 7", "python -m sermtl.bin.score"]


def test_parameters_are_those_that_inference_counted(tmp_path: Path) -> None:
    counts = {"total": 5, "encoder": 4}
    (tmp_path / "parameters.json").write_text(json.dumps(counts))
    assert provenance({"": tmp_path}, "sermtl.bin.score", [])["parameters"] == counts
    (tmp_path / "parameters.json").write_text("{")
    with pytest.raises(UserError, match=r"parameters\.json:1: no JSON .*: remove it"):
        provenance({"": tmp_path}, "sermtl.bin.score", [])


def test_versions_of_the_training_show_where_they_were_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained_with(*entries: dict[str, str]) -> str:
        (tmp_path / "versions.json").write_text(json.dumps(entries))
        return provenance({"": tmp_path}, "sermtl.bin.score", [])["trained_with"]

    now = versions()
    assert trained_with(now) == ""
    old = {**now, "torch": "2.4.0"}
    assert trained_with(old) == f"torch 2.4.0 -> {now['torch']}"
    assert trained_with(old, now) == f"torch 2.4.0 -> {now['torch']}; then as now"
