"""Hidden states, lengths, freezing and gradients of the encoder, against transformers' own."""

from __future__ import annotations

import pytest
import torch
import transformers

from sermtl.errors import UserError
from sermtl.model import wavlm
from sermtl.model.gated_attention import FusedAttention
from sermtl.model.ssl_frontend import SSLFrontend

TINY = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "conv_dim": [16] * 7,
    "num_conv_pos_embedding_groups": 4,
}
BASE = {**TINY, "feat_extract_norm": "group", "do_stable_layer_norm": False}
LARGE = {**TINY, "feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
MIXED = {**TINY, "feat_extract_norm": "layer", "do_stable_layer_norm": False}
WHISPER = {
    "model_type": "whisper",
    "d_model": 32,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 48,
    "num_mel_bins": 80,
}
WAVEFORM = [
    pytest.param({"model_type": kind, **style}, id=f"{kind}-{name}")
    for kind in ("wavlm", "hubert", "wav2vec2")
    for name, style in (("base", BASE), ("large", LARGE), ("mixed", MIXED))
]
ALL = [*WAVEFORM, pytest.param(WHISPER, id="whisper")]
CLASSES = {"wavlm": "WavLMModel", "hubert": "HubertModel", "wav2vec2": "Wav2Vec2Model"}


def build(config: dict, **options) -> SSLFrontend:
    """Random encoder whose norms and biases are random too: nothing hides behind 1 and 0."""
    torch.manual_seed(0)
    frontend = SSLFrontend(config, **options)
    with torch.no_grad():
        for name, parameter in frontend.named_parameters():
            if parameter.dim() == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
            elif "rel_attn_embed" in name:
                parameter.normal_()
    return frontend.eval()


def clips(*lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise of several loudnesses, offset from zero; the padding is garbage."""
    torch.manual_seed(1)
    speech = 0.1 * torch.randn(len(lengths), max(lengths)) + 0.02
    speech *= torch.arange(1, len(lengths) + 1)[:, None]
    return speech, torch.tensor(lengths)


@pytest.mark.parametrize("config", WAVEFORM)
def test_single_clip_equals_transformers(config):
    frontend = build(config)
    speech, lengths = clips(9000)
    states, frames = frontend.encode(speech, lengths)

    reference = getattr(transformers, CLASSES[config["model_type"]])(
        frontend.encoder.model.config
    ).eval()
    reference.load_state_dict(frontend.encoder.model.state_dict())
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    values = extractor(speech[0].numpy(), sampling_rate=16000, return_tensors="pt").input_values
    with torch.no_grad():
        output = reference(values, output_hidden_states=True)

    expected = torch.stack([*output.hidden_states[:-1], output.last_hidden_state])
    assert frames.tolist() == [(9000 - 400) // 320 + 1] == [expected.shape[2]]
    torch.testing.assert_close(states, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("config", ALL)
def test_batched_equals_single(config):
    frontend = build(config)
    speech, lengths = clips(9000, 400, 12345, 4321, 721)
    states, frames = frontend.encode(speech, lengths)
    assert states.shape[0] == frontend.num_states == 3
    assert states.shape[2:] == (frames.max(), frontend.output_size())
    for b, length in enumerate(lengths):
        single, single_frames = frontend.encode(speech[b : b + 1, :length], lengths[b : b + 1])
        assert single_frames[0] == frames[b]
        torch.testing.assert_close(states[:, b, : frames[b]], single[:, 0], atol=1e-5, rtol=0)
        assert (states[:, b, frames[b] :] == 0).all()


@pytest.mark.parametrize("config", ALL)
def test_forward_is_the_last_state_and_more_padding_changes_nothing(config):
    frontend = build(config)
    speech, lengths = clips(5000, 3000)
    states, frames = frontend.encode(speech, lengths)
    padded = torch.nn.functional.pad(speech, (0, 700), value=5.0)
    last, last_frames = frontend(padded, lengths)
    assert torch.equal(last_frames, frames)
    torch.testing.assert_close(last, states[-1], atol=1e-6, rtol=0)


@pytest.mark.parametrize("spec_augment", [False, True])
@pytest.mark.parametrize("config", ALL)
def test_every_trainable_parameter_gets_a_gradient(config, spec_augment):
    config = {**config, "mask_feature_prob": 0.1} if spec_augment else config
    frontend = build(config, spec_augment=spec_augment).train()
    states, _ = frontend.encode(*clips(5000, 3000))
    (states * torch.randn_like(states)).sum().backward()
    without = [n for n, p in frontend.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []
    frozen = [n for n, p in frontend.named_parameters() if not p.requires_grad]
    if config["model_type"] == "whisper":
        assert frozen == ["encoder.model.embed_positions.weight"]
    else:
        assert frozen == ([] if spec_augment else ["encoder.model.masked_spec_embed"])


@pytest.mark.parametrize("config", ALL)
def test_freezing(config):
    cnn = {"encoder.model.feature_extractor", "encoder.model.conv1", "encoder.model.conv2"}

    def trained(**options) -> set[str]:
        frontend = build(config, **options).train()
        states, _ = frontend.encode(*clips(5000, 3000))
        if any(p.requires_grad for p in frontend.parameters()):
            (states * torch.randn_like(states)).sum().backward()
            assert all(p.grad is not None for p in frontend.parameters() if p.requires_grad)
        else:
            assert not states.requires_grad
        return {n for n, p in frontend.named_parameters() if p.requires_grad}

    everything = trained(freeze="none")
    assert trained() == everything  # random weights
    assert trained(freeze="all") == set()
    without_cnn = trained(freeze="cnn")
    assert without_cnn == {n for n in everything if not n.startswith(tuple(cnn))}
    assert trained(init=False, normalize=True) == without_cnn  # a checkpoint follows

    upper = trained(freeze_layers=1)
    layer = ("encoder.model.encoder.layers.1.", "encoder.model.layers.1.")
    assert upper and all(
        n.startswith(layer) or n.endswith(("norm.weight", "norm.bias")) for n in upper
    )
    assert {n for n in everything if n.startswith(layer)} <= upper


@pytest.mark.parametrize("config", ALL)
def test_frozen_parts_stay_in_eval_mode(config):
    drop = {"hidden_dropout": 0.5, "attention_dropout": 0.5, "activation_dropout": 0.5}
    drop |= {"feat_proj_dropout": 0.5}
    if config["model_type"] == "whisper":
        drop = {"dropout": 0.5, "attention_dropout": 0.5, "activation_dropout": 0.5}
    frontend = build({**config, **drop}, freeze_layers=1)
    batch = clips(5000, 3000)
    quiet, _ = frontend.encode(*batch)
    noisy, _ = frontend.train().encode(*batch)
    torch.testing.assert_close(noisy[:2], quiet[:2], atol=1e-6, rtol=0)
    assert not torch.allclose(noisy[2], quiet[2], atol=1e-2)


@pytest.mark.parametrize("config", ALL)
def test_training_mode_without_dropout_is_deterministic(config):
    # No layerdrop and no SpecAugment, whatever the config says.
    off = {"hidden_dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0}
    off |= {"feat_proj_dropout": 0.0, "layerdrop": 0.9, "mask_time_prob": 0.5}
    if config["model_type"] == "whisper":
        off = {"dropout": 0.0, "encoder_layerdrop": 0.9, "mask_time_prob": 0.5}
    frontend = build({**config, **off})
    batch = clips(8000, 3000)
    expected, _ = frontend.encode(*batch)
    actual, _ = frontend.train().encode(*batch)
    torch.testing.assert_close(actual, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("config", ALL)
def test_spec_augment_acts_in_training_only(config):
    config = {**config, "mask_time_prob": 0.5, "mask_time_length": 4}
    frontend = build(config, spec_augment=True)
    batch = clips(16000, 400)
    plain, frames = build(config).encode(*batch)
    evaluated, _ = frontend.encode(*batch)
    torch.testing.assert_close(evaluated, plain, atol=1e-6, rtol=0)
    masked, _ = frontend.train().encode(*batch)
    assert not torch.allclose(masked[:, 0], plain[:, 0], atol=1e-2)
    assert (masked[:, 1, frames[1] :] == 0).all()


@pytest.mark.parametrize("config", [*WAVEFORM[:1], WHISPER])
def test_spec_augment_takes_its_own_numbers(config):
    numbers = {"mask_time_prob": 0.5, "mask_time_length": 3, "mask_feature_prob": 0.0}
    from_options = build({**config, "mask_time_prob": 0.0}, spec_augment=numbers).train()
    from_config = build({**config, **numbers}, spec_augment=True).train()
    states = []
    for frontend in (from_options, from_config):
        torch.manual_seed(5)
        states.append(frontend.encode(*clips(9000, 4000))[0])
    assert torch.equal(*states)
    rebuilt = build(from_options.describe(), spec_augment=True)
    assert rebuilt.describe() == from_config.describe()


@pytest.mark.parametrize("config", ALL)
def test_gradient_checkpointing_changes_no_gradient(config):
    gradients = []
    for checkpointing in (False, True):
        frontend = build(config, gradient_checkpointing=checkpointing).train()
        torch.manual_seed(3)
        states, _ = frontend.encode(*clips(5000, 3000))
        states.square().sum().backward()
        gradients.append({n: p.grad for n, p in frontend.named_parameters() if p.requires_grad})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)


@pytest.mark.parametrize("config", ALL)
def test_attention_is_never_left_to_cudnn(config, monkeypatch):
    """Neither in the forward pass nor where checkpointing repeats it; torch's setting stays."""
    monkeypatch.setattr(wavlm, "gated_attention", FusedAttention)  # as on a GPU
    allowed, attend = [], torch.nn.functional.scaled_dot_product_attention

    def watched(*tensors, **options):
        allowed.append(torch.backends.cuda.cudnn_sdp_enabled())
        return attend(*tensors, **options)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", watched)
    frontend = build(config, gradient_checkpointing=True).train()
    states, _ = frontend.encode(*clips(5000, 3000))
    assert torch.backends.cuda.cudnn_sdp_enabled()
    states.sum().backward()
    assert torch.backends.cuda.cudnn_sdp_enabled()
    assert allowed == [False] * 4  # two layers, twice


@pytest.mark.parametrize("config", ALL)
def test_bfloat16_autocast(config):
    frontend = build(config)
    batch = clips(5000, 3000)
    expected, _ = frontend.encode(*batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        actual, _ = frontend.encode(*batch)
    assert (actual.float() - expected).abs().max() < 0.05 * expected.abs().max()


@pytest.mark.parametrize("config", ALL)
def test_description_rebuilds_the_model(config):
    frontend = build(config, normalize=False)
    description = frontend.describe()
    rebuilt = SSLFrontend(description, init=False).eval()
    assert rebuilt.normalize is False
    assert rebuilt.describe() == description
    assert all(p.isnan().all() for p in rebuilt.parameters())  # until weights are loaded
    rebuilt.load_state_dict(frontend.state_dict())
    batch = clips(5000, 3000)
    assert torch.equal(rebuilt.encode(*batch)[0], frontend.encode(*batch)[0])


def test_normalisation_makes_loudness_and_offset_irrelevant():
    frontend = build({"model_type": "wav2vec2", **LARGE})
    speech, lengths = clips(5000, 3000)
    states, _ = frontend.encode(speech, lengths)
    louder, _ = frontend.encode(7 * speech + 0.3, lengths)
    torch.testing.assert_close(louder, states, atol=1e-4, rtol=0)
    plain = build({"model_type": "wav2vec2", **LARGE}, normalize=False)
    assert not torch.allclose(plain.encode(speech, lengths)[0], states, atol=1e-3)


@pytest.mark.parametrize("config", ALL)
def test_too_short_clips_are_named(config):
    frontend = build(config)
    with pytest.raises(ValueError, match=r"clip 1 of the batch: 399 samples .* needs 400"):
        frontend.encode(*clips(5000, 399))
    with pytest.raises(ValueError, match="clip 0 of the batch: length 6000 in 5000 samples"):
        frontend.encode(torch.zeros(1, 5000), torch.tensor([6000]))
    frontend.check_lengths({"a": 400, "b": 500})
    with pytest.raises(UserError, match=r"b at speed 1.3: 385 samples .* needs 400"):
        frontend.check_lengths({"a": 600, "b": 500}, speed=1.3)


def test_batch_norm_in_front_of_the_positions():
    config = {"model_type": "hubert", **BASE, "conv_pos_batch_norm": True}
    frontend = build(config)
    positions = frontend.encoder.model.encoder.pos_conv_embed
    positions.batch_norm.running_mean.normal_()
    speech, lengths = clips(9000, 3000)
    states, frames = frontend.encode(speech, lengths)
    single, _ = frontend.encode(speech[1:, :3000], lengths[1:])
    torch.testing.assert_close(states[:, 1, : frames[1]], single[:, 0], atol=1e-5, rtol=0)

    statistics = positions.batch_norm.running_mean.clone()
    states, _ = frontend.train().encode(speech, lengths)
    states.sum().backward()
    assert torch.equal(positions.batch_norm.running_mean, statistics)
    assert positions.batch_norm.weight.grad is not None


@pytest.mark.parametrize(
    ("config", "options", "message"),
    [
        ({"model_type": "unispeech"}, {}, "supported are wavlm, "),
        ({"hidden_size": 32}, {}, "model_type is None"),
        ({"model_type": "wavlm", "hiden_size": 32}, {}, "wavlm has no setting hiden_size"),
        ({"model_type": "wavlm", "num_attention_heads": 5}, {}, "must be divisible"),
        ({"model_type": "wavlm", **BASE}, {"init": False}, "give normalize: true or false"),
        ({"model_type": "wavlm", **BASE}, {"freeze": "some"}, "none of cnn, all, none"),
        ({"model_type": "wavlm", **BASE}, {"freeze_layers": 3}, "the encoder has 2"),
        ({"model_type": "wavlm", **BASE}, {"freeze": "none", "freeze_layers": 1}, "contradicts"),
        ({"model_type": "wavlm", **BASE}, {"freeze": "all", "spec_augment": True}, "freeze is all"),
        ({**WHISPER, "mask_time_prob": 0.0}, {"spec_augment": True}, "are both 0"),
        (WHISPER, {"trim_db": -35.0}, "dB below the loudest"),
        (WHISPER, {"spec_augment": {"mask_tim_prob": 0.1}}, "whisper encoders have no mask_tim"),
        (WHISPER, {"spec_augment": {"d_model": 8}}, "whisper encoders have no d_model"),
    ],
)
def test_contradictions_are_refused(config, options, message):
    with pytest.raises(UserError, match=message):
        SSLFrontend(config, **options)
