"""ESPnet's task base class without torchaudio."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import types

import pytest

SCRIPT = """
import sys
from sermtl.compat import AbsTask
assert AbsTask.__module__ == "espnet2.tasks.abs_task"
assert "torchaudio" not in sys.modules
from transformers.utils import is_torchaudio_available
import transformers.audio_utils
print(is_torchaudio_available())
"""


def run(root, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=root,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.skipif(importlib.util.find_spec("torchaudio") is not None, reason="torchaudio is here")
def test_without_torchaudio(root):
    pytest.importorskip("espnet2")
    assert run(root) == "False"


def test_with_a_torchaudio_that_fails_to_load(root, tmp_path):
    pytest.importorskip("espnet2")
    (tmp_path / "torchaudio.py").write_text("raise OSError('libtorch_cuda.so: cannot open')\n")
    run(root, PYTHONPATH=str(tmp_path))


def test_a_working_torchaudio_is_left_alone(monkeypatch):
    pytest.importorskip("espnet2")
    from sermtl.compat import torchaudio_placeholder

    module = types.ModuleType("torchaudio")
    monkeypatch.setitem(sys.modules, "torchaudio", module)
    with torchaudio_placeholder():
        assert sys.modules["torchaudio"] is module
    assert sys.modules["torchaudio"] is module
