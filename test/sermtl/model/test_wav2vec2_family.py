"""Parts of the waveform encoders that whole models hide."""

import pytest
import torch
from tiny import WAVLM

from sermtl.model import wav2vec2_family
from sermtl.model.ssl_frontend import SSLFrontend

STABLE = {**WAVLM, "model_type": "wav2vec2"}
OTHER = {**STABLE, "do_stable_layer_norm": False}
FINAL = {"encoder.model.encoder.layer_norm.weight", "encoder.model.encoder.layer_norm.bias"}


def build(config: dict, **options) -> SSLFrontend:
    torch.manual_seed(0)
    return SSLFrontend(config, **options)


@pytest.mark.parametrize(("config", "left"), [(STABLE, FINAL), (OTHER, set())])
def test_the_norm_belongs_to_the_end_that_it_is_at(config, left):
    frontend = build(config, freeze_layers=2)
    assert {name for name, p in frontend.named_parameters() if p.requires_grad} == left


@pytest.mark.parametrize(("probability", "trained"), [(0.0, False), (0.1, True)])
def test_the_embedding_of_masked_frames_is_trained_where_it_is_used(probability, trained):
    numbers = {"mask_time_prob": probability, "mask_feature_prob": 0.1}
    model = build(STABLE, spec_augment=numbers).encoder.model
    assert model.masked_spec_embed.requires_grad is trained


@pytest.mark.parametrize("masked", [{"time", "feature"}, {"time"}, {"feature"}])
def test_what_is_masked(masked, monkeypatch):
    time = torch.zeros(2, 3, dtype=torch.bool)
    time[0, 1] = time[1, 2] = True  # one of them is padding
    feature = torch.zeros(2, 16, dtype=torch.bool)
    feature[0, 5] = feature[1, 7:9] = True
    spans = time if "time" in masked else None, feature if "feature" in masked else None
    monkeypatch.setattr(wav2vec2_family, "config_spans", lambda *_: spans)
    encoder = build(STABLE, spec_augment={"mask_time_prob": 0.1}).encoder.train()
    convolution = encoder.model.encoder.pos_conv_embed.conv
    convolution.parametrizations.weight.original0.data.zero_()  # what is left is what goes in
    features = torch.randn(2, 3, 8)

    expected = encoder.model.feature_projection(features)[0].clone()
    if "time" in masked:
        expected[0, 1] = encoder.model.masked_spec_embed
    if "feature" in masked:
        expected[0, :, 5], expected[1, :, 7:9] = 0, 0
    expected[1, 2] = 0
    torch.testing.assert_close(encoder.embed(features, torch.tensor([3, 2])), expected)


def test_autocast_holds_up_to_the_first_layer():
    encoder = build(STABLE, spec_augment={"mask_time_prob": 0.5, "mask_time_length": 2}).encoder
    lengths = torch.tensor([8000, 4000])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = encoder.train().extract(torch.randn(2, 8000), lengths)
        hidden = encoder.embed(features, encoder.frame_lengths(lengths))
    assert features.dtype == hidden.dtype == torch.bfloat16
