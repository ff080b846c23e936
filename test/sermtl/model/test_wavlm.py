"""The fast encoder at full size against transformers' forward, clip by clip."""

from contextlib import nullcontext

import pytest
import torch
import transformers
from tiny import WAVLM

from sermtl.model import wavlm
from sermtl.model.gated_attention import FusedAttention
from sermtl.model.ssl_frontend import SSLFrontend

SIZES = {
    "base": {},
    "large": {
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "feat_extract_norm": "layer",
        "do_stable_layer_norm": True,
    },
}


@pytest.mark.parametrize("size", SIZES)
def test_every_state_of_the_real_configurations(size):
    torch.manual_seed(0)
    config = {"model_type": "wavlm", **SIZES[size]}
    frontend = SSLFrontend(config, normalize=False).eval()
    with torch.no_grad():  # new modules have a bias of nothing and gates of nearly nothing
        for name, parameter in frontend.named_parameters():
            if "rel_attn_embed" in name or "gru_rel_pos" in name:
                parameter.normal_()
    lengths = torch.tensor([24000, 9000, 33333])
    speech = torch.randn(3, 33333)
    reference = transformers.WavLMModel(frontend.encoder.model.config).eval()
    reference.load_state_dict(frontend.encoder.model.state_dict())
    with torch.inference_mode():
        states, frames = frontend.encode(speech, lengths)
        for clip, length in enumerate(lengths):
            output = reference(speech[clip : clip + 1, :length], output_hidden_states=True)
            expected = torch.cat([*output.hidden_states[:-1], output.last_hidden_state])
            difference = (states[:, clip, : frames[clip]] - expected).abs().amax((1, 2))
            assert difference.max() < 1e-4, difference
            assert (states[:, clip, frames[clip] :] == 0).all()
    frontend.encoder.model.load_state_dict(reference.state_dict())


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("attention", [wavlm.gated_attention, FusedAttention])
def test_gradients_equal_transformers(attention, checkpointing, monkeypatch):
    monkeypatch.setattr(wavlm, "gated_attention", attention)
    torch.manual_seed(0)
    config = {"model_type": "wavlm", **SIZES["large"]}
    config |= {"hidden_size": 48, "num_attention_heads": 4, "intermediate_size": 64}
    config |= {"conv_dim": [16] * 7, "num_hidden_layers": 3, "num_conv_pos_embeddings": 16}
    config |= {"num_conv_pos_embedding_groups": 4, "layer_norm_eps": 0.05}
    dropout = ("hidden", "attention", "activation", "feat_proj")
    config |= {f"{name}_dropout": 0.0 for name in dropout}
    frontend = SSLFrontend(config, normalize=False, gradient_checkpointing=checkpointing).train()
    model = frontend.encoder.model
    lengths = torch.tensor([9000, 4000])
    speech = torch.randn(2, 9000)
    states, frames = frontend.encode(speech, lengths)
    directions = torch.randn_like(states)
    (states * directions).sum().backward()
    ours = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    model.zero_grad()
    total = 0.0
    for clip, length in enumerate(lengths):
        output = model(speech[clip : clip + 1, :length], output_hidden_states=True)
        expected = torch.cat([*output.hidden_states[:-1], output.last_hidden_state])
        total = total + (expected * directions[:, clip, : frames[clip]]).sum()
    total.backward()
    theirs = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert ours.keys() == theirs.keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, atol=2e-4, rtol=2e-3, msg=name)


@pytest.mark.parametrize("stable", [False, True])
def test_dropout_is_where_transformers_has_it(stable, monkeypatch):
    """Each scales by its own share instead of dropping it."""
    config = {**WAVLM, "do_stable_layer_norm": stable, "layerdrop": 0.0}
    config |= {"hidden_dropout": 0.1, "activation_dropout": 0.3, "feat_proj_dropout": 0.5}
    torch.manual_seed(0)
    frontend = SSLFrontend(config, normalize=False).train()
    monkeypatch.setattr(
        torch.nn.Dropout, "forward", lambda self, x: x * (1 - self.p) if self.training else x
    )
    monkeypatch.setattr(wavlm, "dropout", lambda x, p, training: x * (1 - p) if training else x)
    speech = torch.randn(1, 4000)
    for mode in (True, False):
        model = frontend.train(mode).encoder.model
        states, _ = frontend.encode(speech, torch.tensor([4000]))
        output = model(speech, output_hidden_states=True)
        expected = torch.stack([*output.hidden_states[:-1], output.last_hidden_state])
        torch.testing.assert_close(states, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("stable", [False, True])
def test_layers_compute_in_autocasts_type(stable):
    encoder = SSLFrontend({**WAVLM, "do_stable_layer_norm": stable}).encoder
    with torch.autocast("cpu", dtype=torch.bfloat16):
        states = encoder.run_layers(torch.randn(1, 12, 16), torch.tensor([12]))
    assert states.dtype == torch.bfloat16


@pytest.mark.parametrize(("training", "expected"), [(True, 0.25), (False, 0.0)])
def test_attention_drops_in_training_alone(training, expected, monkeypatch):
    attend, dropped = wavlm.gated_attention, []

    def watched(*arguments, **options):
        attention = attend(*arguments, **options)

        def call(projected, gates, dropout):
            dropped.append(dropout)
            return attention(projected, gates, dropout)

        return call

    monkeypatch.setattr(wavlm, "gated_attention", watched)
    frontend = SSLFrontend({**WAVLM, "attention_dropout": 0.25}).train(training)
    frontend.encode(torch.randn(1, 4000), torch.tensor([4000]))
    assert dropped == [expected] * 2


@pytest.mark.parametrize(("checkpointing", "told"), [(False, False), (True, True)])
def test_attention_knows_whether_it_is_recomputed(checkpointing, told, monkeypatch):
    attend, asked = wavlm.gated_attention, []

    def watched(*arguments, recomputed):
        asked.append(recomputed)
        return attend(*arguments, recomputed=recomputed)

    monkeypatch.setattr(wavlm, "gated_attention", watched)
    frontend = SSLFrontend(WAVLM, gradient_checkpointing=checkpointing)
    frontend.encode(torch.randn(1, 4000), torch.tensor([4000]))
    assert asked == [told]


def test_nothing_stays_on_the_cpu(monkeypatch):
    """The path of GPUs on the device "meta", which has shapes and no numbers: it refuses to mix,
    and to tell what a GPU would have to be waited for."""
    config = {"model_type": "wavlm", "num_hidden_layers": 1}
    spans = {"mask_time_prob": 0.1, "mask_feature_prob": 0.1}
    frontend = SSLFrontend(config, normalize=False, freeze="none", spec_augment=spans)
    encoder = frontend.encoder.to("meta").train()
    # This device has neither autocast nor addresses to tell tensors by.
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda _: False)
    monkeypatch.setattr(torch.autograd.graph, "saved_tensors_hooks", lambda *_: nullcontext())
    speech = torch.empty(2, 9000, device="meta")
    states, frames = encoder(speech, torch.tensor([9000, 4000]))
    assert states.shape == (2, 2, 27, 768)
    assert {states.device.type, frames.device.type} == {"meta"}
    states.sum().backward()
    assert all(p.grad is not None for p in encoder.parameters() if p.requires_grad)
