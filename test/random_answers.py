"""A model's answers for a test set, at random."""

from __future__ import annotations

import numpy as np

from sermtl.scoring.predictions import Predicted

CLASSES = ["N", "H", "S", "A"]


def predicted(n: int = 120, seed: int = 0, name: str = "", **changes: object) -> Predicted:
    """A random set of ``n`` utterances by twelve speakers."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(4), n)
    answers = {
        "emotion": [CLASSES[i] for i in probabilities.argmax(1)],
        "gender": rng.choice(["female", "male"], n).tolist(),
        "transcript": rng.choice(["a b c", "a c", "", "b d e f"], n).tolist(),
    }
    references = {
        "emotion": rng.choice([*CLASSES[:3], "<unk>"], n).tolist(),
        "gender": rng.choice(["female", "male", "<unk>"], n).tolist(),
        "speaker": [f"s{i % 12}" for i in range(n)],
        "text": rng.choice(["a b c", "b d", "<unk>"], n).tolist(),
    }
    values = {
        "name": name,
        "ids": [f"{name}u{i:03}" for i in range(n)],
        "classes": CLASSES,
        "probabilities": probabilities,
        "references": references,
        "answers": answers,
        "task_weights": {},
        "embeddings": rng.normal(size=(n, 5)).astype(np.float32),
        "text_sources": ["corpus"] * n,
        "text_form": "plain",
        "training_texts": {"b d"},
    }
    return Predicted(**(values | changes))
