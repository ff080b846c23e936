"""Small models for tests."""

from __future__ import annotations

import itertools
from typing import Any

import torch

from sermtl.model.ser_model import SERModel
from sermtl.model.ssl_frontend import SSLFrontend

NO_DROPOUT = {
    "hidden_dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "feat_proj_dropout": 0.0,
}
WAVLM = {
    "model_type": "wavlm",
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    **NO_DROPOUT,
}
WHISPER = {
    "model_type": "whisper",
    "d_model": 16,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
}
EMOTIONS = ["A", "H", "N"]
COUNTS = [3, 5, 9]
GENDERS = ["female", "male"]
SPEAKERS = ["s1", "s2", "s3", "s4"]
CLASSES = {"emotion": EMOTIONS, "gender": GENDERS, "speaker": SPEAKERS}
TOKENS = ["<blank>", "<unk>", "a", "b", "c"]
TASK_SUBSETS = [
    list(tasks)
    for size in range(4)
    for tasks in itertools.combinations(["gender", "speaker", "asr"], size)
]


def ser_model(**options: Any) -> SERModel:
    """A SERModel with a two-layer encoder, without dropout unless asked for."""
    options = {"hidden_size": 8, "num_heads": 2, "dropout": 0.0, **options}
    return SERModel(SSLFrontend(WAVLM), CLASSES, COUNTS, TOKENS, **options)


def batch(size: int = 4, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random speech and labels; the second utterance knows nothing but its emotion."""
    random = torch.Generator().manual_seed(seed)

    def labels(classes: int) -> torch.Tensor:
        return torch.randint(classes, (size,), generator=random)

    speech_lengths = torch.randint(4000, 8001, (size,), generator=random)
    speech_lengths[0] = 8000
    speech = torch.randn(size, 8000, generator=random)
    speech[torch.arange(8000) >= speech_lengths[:, None]] = 0
    text_lengths = torch.randint(1, 4, (size,), generator=random)
    text = torch.randint(2, len(TOKENS), (size, 4), generator=random)
    sample = {
        "speech": speech,
        "speech_lengths": speech_lengths,
        "emotion": labels(len(EMOTIONS)),
        "gender": labels(len(GENDERS)),
        "speaker": labels(len(SPEAKERS)),
    }
    if size > 1:
        sample["gender"][1] = sample["speaker"][1] = -1
        text_lengths[1] = 0
    text[torch.arange(4) >= text_lengths[:, None]] = -1
    return sample | {"text": text, "text_lengths": text_lengths}
