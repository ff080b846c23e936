"""The paper's system with random weights, and speech as long as MSP-Podcast's, for benchmarks.

Nothing is downloaded: speed and memory don't depend on what the weights are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sermtl.data import SAMPLE_RATE
from sermtl.model.build import build_model
from sermtl.model.pooling import frame_mask
from sermtl.model.ser_model import SERModel
from sermtl.model.wavlm import WavLM
from sermtl.training.conf import resolve

WAVLM_LARGE = {  # of its config.json, what differs from transformers' defaults
    "model_type": "wavlm",
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "activation_dropout": 0.0,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "normalize": True,
}
SPEAKERS, TOKENS, WORDS = 1500, 500, 20


class TransformersWavLM(WavLM):
    """The same modules through transformers' own ``forward``: the baseline."""

    def forward(self, speech: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        mask = frame_mask(lengths, speech.shape[1]).long().to(speech.device)
        output = self.model(speech, attention_mask=mask, output_hidden_states=True)
        states = [*output.hidden_states[:-1], output.last_hidden_state]
        return torch.stack(states), self.frame_lengths(lengths).to(speech.device)


def build(
    layers: int,
    dtype: str,
    baseline: bool = False,
    configs: Sequence[str] = (),
    arguments: str = "",
) -> SERModel:
    """The model of conf/train.yaml with an encoder of WavLM-large's shape.

    Args:
        layers: of the encoder; WavLM-large has 24.
        dtype: ``float32`` or ``bfloat16``.
        baseline: run the encoder as transformers does.
        configs: overlays.
        arguments: as ``--train_args``.
    """
    conf = resolve(["conf/train.yaml", *configs], arguments)
    conf["frontend_conf"]["model"] = WAVLM_LARGE | {"num_hidden_layers": layers}
    conf["model_conf"]["dtype"] = dtype
    emotions = list("AHSUFDCN")
    labels = {
        "emotions": emotions,
        "genders": ["female", "male"],
        "speakers": [str(i) for i in range(SPEAKERS)],
        "counts": {"emotion": dict.fromkeys(emotions, 100)},
        "tasks": dict.fromkeys(("emotion", "gender", "speaker", "asr"), 1),
    }
    tokens = [str(i) for i in range(TOKENS)]
    model = build_model({**conf, "labels": labels, "token_list": tokens})
    if baseline:
        encoder = model.frontend.encoder
        encoder.__class__ = TransformersWavLM
        encoder.model.freeze_feature_encoder()
    return model


def durations(count: int) -> np.ndarray:
    """Seconds ``(count,)``, like MSP-Podcast's: 2 to 12, 5.5 in the mean."""
    random = np.random.default_rng(0)
    return np.clip(random.lognormal(np.log(5.05), 0.42, count), 2.0, 12.0)


def batch(seconds: Sequence[float], device: str = "cpu") -> dict[str, Any]:
    """Noise of these lengths, with labels for every task, as the model's ``forward`` takes it."""
    random = torch.Generator().manual_seed(0)
    lengths = torch.tensor([round(s * SAMPLE_RATE) for s in seconds])
    size = len(lengths)
    speech = 0.1 * torch.randn(size, int(lengths.max()), generator=random)
    words = torch.minimum(torch.tensor(WORDS), lengths // SAMPLE_RATE * 3)
    values = {
        "speech": speech.masked_fill(~frame_mask(lengths, speech.shape[1]), 0.0),
        "speech_lengths": lengths,
        "emotion": torch.arange(size) % 8,
        "gender": torch.arange(size) % 2,
        "speaker": torch.arange(size) % SPEAKERS,
        "text": torch.randint(2, TOKENS, (size, int(words.max())), generator=random),
        "text_lengths": words,
    }
    return {name: value.to(device) for name, value in values.items()}


def optimizer(model: SERModel, fused: bool) -> torch.optim.Optimizer:
    """Adam over what is trained."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.Adam(trained, lr=1e-5, fused=fused or None)


def step(model: SERModel, adam: torch.optim.Optimizer, data: dict[str, Any]) -> float:
    """One training step, as ESPnet's trainer takes it; the loss."""
    loss, _, _ = model(**data)
    loss.backward()
    torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 5.0)
    adam.step()
    adam.zero_grad()
    return float(loss.detach())


def operations(model: SERModel, seconds: float, training: bool) -> float:
    """Floating-point operations of a clip's linear layers, attention and convolutions.

    What the method needs, whatever an implementation does: no padding, nothing done twice. The
    backward pass takes twice the forward pass's, except where no gradient is wanted.
    """
    frontend = model.frontend
    config = frontend.encoder.model.config
    samples = round(seconds * SAMPLE_RATE)
    width, convolutions, channels = config.hidden_size, 0.0, 1
    for size, kernel, stride in zip(
        config.conv_dim, config.conv_kernel, config.conv_stride, strict=True
    ):
        samples = (samples - kernel) // stride + 1
        convolutions += 2.0 * samples * channels * size * kernel
        channels = size
    frames = samples
    positions = width // config.num_conv_pos_embedding_groups * config.num_conv_pos_embeddings
    projection = 2.0 * frames * channels * width
    layer = 2 * frames * (4 * width**2 + 2 * width * config.intermediate_size)
    layer += 4 * frames**2 * width
    trained = 2 * frames * width * positions + config.num_hidden_layers * layer
    trained += 2 * frames * sum(p.numel() for p in model.branches["asr"].parameters())
    trained += 2 * frames * sum(p.numel() for p in model.pooling.parameters())
    if not training:
        return convolutions + projection + trained
    # The convolutions are frozen, so that the projection's input needs no gradient.
    return convolutions + 2 * projection + 3 * trained
