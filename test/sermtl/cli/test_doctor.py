"""`sermtl doctor`."""

import pytest

from sermtl.cli import doctor
from sermtl.cli import main as cli


def test_everything_needed_is_here(capsys):
    cli(["doctor"])
    shown = capsys.readouterr().out
    assert "MISSING" not in shown
    for what in ("Python", "torch", "libsndfile", "ffmpeg", "wavlm-large", "disk"):
        assert what in shown


def test_what_is_missing_is_an_error(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "NEEDED", (*doctor.NEEDED, "no-such-package"))
    with pytest.raises(SystemExit) as ended:
        cli(["doctor"])
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert "MISSING  no-such-package" in said.out
    assert "needed and missing: no-such-package" in said.err


def test_weights_that_can_not_be_fetched(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(doctor, "ENCODER", "nobody/nothing")
    (finding,) = doctor._weights()
    assert finding.mark == "note" and "HF_HUB_OFFLINE" in finding.found
    assert "--ssl_model" in finding.advice
