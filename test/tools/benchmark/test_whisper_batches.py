import importlib

import numpy as np
import pytest
import whisper

from sermtl.transcription.guards import SPEECH
from sermtl.transcription.whisper import Transcriber


@pytest.mark.parametrize("words", [51864, 51865])
def test_the_random_model_says_as_much_either_way(root, tmp_path, monkeypatch, words):
    """And is sure of it, so that nothing falls back to other temperatures."""
    monkeypatch.syspath_prepend(root / "tools" / "benchmark")
    benchmark = importlib.import_module("whisper_batches")
    path = tmp_path / "random.pt"
    benchmark.write_random_model(path, (80, 1500, 128, 2, 1, words, 448, 128, 2, 1), 20)
    samples = np.random.default_rng(0).normal(0.0, 0.1, 48000).astype(np.float32)
    transcriber = Transcriber(str(path))
    (record,) = transcriber({"noise": samples})
    assert (record.verdict, record.temperature) == (SPEECH, 0)
    (ours,) = transcriber._decode([samples])
    (segment,) = whisper.load_model(str(path)).transcribe(samples, fp16=False)["segments"]
    assert segment["temperature"] == 0
    assert len(segment["tokens"]) == 21  # the first is a timestamp
    assert len(ours.tokens) == 20
