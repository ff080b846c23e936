"""Transcripts for tests."""

from __future__ import annotations

from sermtl.transcription.records import Transcript


def transcript(id: str = "a", **changes: object) -> Transcript:
    fields = {
        "id": id,
        "text": "hello there",
        "language": "en",
        "verdict": "speech",
        "temperature": 0.0,
        "avg_logprob": -0.2,
        "no_speech_prob": 0.01,
        "compression_ratio": 0.9,
        "duration": 1.5,
        "model": "tiny.en",
        "sha256": "0" * 64,
    }
    return Transcript(**{**fields, **changes})
