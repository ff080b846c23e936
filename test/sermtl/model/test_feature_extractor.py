"""The convolutional feature extractor against transformers' layers on one clip at a time."""

import pytest
import torch
from torch import nn
from transformers import Wav2Vec2Config
from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2FeatureEncoder

from sermtl.model import feature_extractor
from sermtl.model.feature_extractor import extract_features

LENGTHS = [76, 14, 74, 41]  # a frame is of 14 samples, the next begins 6 later
FRAMES = [11, 1, 11, 5]
STYLES = [("layer", True), ("layer", False), ("group", True), ("group", False)]


def layers_of(norm: str, bias: bool = True) -> nn.ModuleList:
    """Two random convolutional layers."""
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        conv_dim=[6, 4], conv_kernel=[6, 5], conv_stride=[2, 3], feat_extract_norm=norm
    )
    config.conv_bias = bias
    layers = Wav2Vec2FeatureEncoder(config).conv_layers
    for module in layers.modules():
        if isinstance(module, nn.LayerNorm | nn.GroupNorm):
            module.eps = 0.05
    for parameter in layers.parameters():
        nn.init.normal_(parameter)
    return layers


def noise() -> torch.Tensor:
    torch.manual_seed(1)
    speech = torch.randn(len(LENGTHS), max(LENGTHS))
    return speech.masked_fill(torch.arange(max(LENGTHS)) >= torch.tensor(LENGTHS)[:, None], 0.0)


def expected(layers: nn.ModuleList, clip: torch.Tensor) -> torch.Tensor:
    hidden = clip[None, None]
    for layer in layers:
        hidden = layer(hidden)
    return hidden[0].T


@pytest.mark.parametrize(("norm", "bias"), STYLES)
@pytest.mark.parametrize("piece", [2, 128])
def test_every_clip_is_as_if_alone(norm, bias, piece, monkeypatch):
    monkeypatch.setattr(feature_extractor, "PIECE", piece)
    layers, speech = layers_of(norm, bias), noise()
    with torch.no_grad():
        features = extract_features(layers, speech, LENGTHS, torch.float32)
        assert features.shape == (len(LENGTHS), max(FRAMES), 4)
        for row, clip, length, frames in zip(features, speech, LENGTHS, FRAMES, strict=True):
            torch.testing.assert_close(row[:frames], expected(layers, clip[:length]))
            assert not row[frames:].any()


@pytest.mark.parametrize("norm", ["layer", "group"])
def test_gradients(norm):
    layers, speech = layers_of(norm), noise()
    gradients = []
    clips = [clip[:length] for clip, length in zip(speech, LENGTHS, strict=True)]
    for total in (
        extract_features(layers, speech, LENGTHS, torch.float32).square().sum(),
        sum(expected(layers, clip).square().sum() for clip in clips),
    ):
        gradients.append(torch.autograd.grad(total, list(layers.parameters())))
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("norm", ["layer", "group"])
def test_other_types_compute_in_them(norm):
    layers, speech = layers_of(norm), noise()
    full = extract_features(layers, speech, LENGTHS, torch.float32)
    half = extract_features(layers, speech, LENGTHS, torch.bfloat16)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), full, rtol=0.1, atol=0.1)


@pytest.mark.parametrize(
    ("norm", "trained", "grad", "pieces"),
    [
        ("layer", False, True, [12, 12, 10]),
        ("layer", True, False, [12, 12, 10]),
        ("layer", True, True, [34]),
        ("group", False, True, [34]),
    ],
)
def test_frames_are_taken_in_pieces_where_nothing_is_trained(
    norm, trained, grad, pieces, monkeypatch
):
    """Frames of all clips, one behind the other, and those between them."""
    monkeypatch.setattr(feature_extractor, "PIECE", 12)
    layers = layers_of(norm).requires_grad_(trained)
    seen = []
    layers[-1].activation.register_forward_hook(lambda *call: seen.append(len(call[2])))
    with torch.set_grad_enabled(grad):
        extract_features(layers, noise(), LENGTHS, torch.float32)
    assert seen == pieces


def test_all_happens_where_the_speech_is():
    layers, speech = layers_of("layer").to("meta"), noise().to("meta")
    assert extract_features(layers, speech, LENGTHS, torch.float32).device.type == "meta"
