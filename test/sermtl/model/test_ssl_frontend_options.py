"""What each option of the encoder does, and where its limits are."""

import json
from contextlib import nullcontext

import pytest
import torch
from tiny import WAVLM, WHISPER

from sermtl.errors import UserError
from sermtl.model import ssl_frontend
from sermtl.model.ssl_frontend import SSLFrontend
from sermtl.model.wavlm import WavLM

EMBEDDING = "encoder.model.masked_spec_embed"


@pytest.mark.parametrize(
    ("config", "options", "expected"),
    [
        (WAVLM, {}, True),
        (WHISPER, {}, False),
        (WHISPER, {"init": False}, False),
        ({**WAVLM, "normalize": False}, {}, False),
        ({**WAVLM, "normalize": False}, {"init": False}, False),
        ({**WHISPER, "normalize": True}, {}, True),
        ({**WAVLM, "normalize": False}, {"normalize": True}, True),
        (WAVLM, {"normalize": False, "init": False}, False),
    ],
)
def test_who_says_whether_waveforms_are_normalised(config, options, expected):
    assert SSLFrontend(config, **options).normalize is expected


def test_a_folder_of_whispers_needs_no_word_on_normalisation(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(WHISPER))
    assert SSLFrontend(str(tmp_path), init=False).normalize is False
    (tmp_path / "config.json").write_text(json.dumps(WAVLM))
    with pytest.raises(UserError, match=f"^SSL model {tmp_path}: .*normalize"):
        SSLFrontend(str(tmp_path), init=False)
    with pytest.raises(UserError, match=r"^SSL model config: .*normalize"):
        SSLFrontend(WAVLM, init=False)


@pytest.mark.parametrize("autocast", [True, False])
@pytest.mark.parametrize("normalize", [True, False])
def test_waveforms_that_encoders_see(normalize, autocast):
    torch.manual_seed(0)
    frontend = SSLFrontend(WAVLM, normalize=normalize).eval()
    seen = []
    frontend.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    speech = torch.randn(3, 900, dtype=torch.double)
    speech[2] = 0.3
    lengths = torch.tensor([800, 500, 700])
    with torch.autocast("cpu", enabled=autocast):
        frontend.encode(speech, lengths)
    waveforms, frames = seen[0]
    assert waveforms.shape == (3, 800) and waveforms.dtype == torch.float32
    assert frames.tolist() == lengths.tolist()
    for waveform, clip, length in zip(waveforms, speech, lengths, strict=True):
        expected = clip[:length]
        if normalize:
            expected = (expected - expected.mean()) / (expected.var(correction=0) + 1e-7).sqrt()
        torch.testing.assert_close(waveform[:length], expected.float(), atol=1e-5, rtol=1e-5)
        assert not waveform[length:].any()
    assert not normalize or not waveforms[2].any()


@pytest.mark.parametrize(("init", "device"), [(True, "cpu"), (False, "meta")])
def test_no_random_numbers_are_drawn_for_weights_that_follow(init, device, monkeypatch):
    devices = []

    class Watched(WavLM):
        def __init__(self, *arguments, **options) -> None:
            devices.append(torch.get_default_device().type)
            super().__init__(*arguments, **options)

    monkeypatch.setattr(ssl_frontend, "WavLM", Watched)
    frontend = SSLFrontend(WAVLM, normalize=True, init=init)
    assert devices == [device]
    assert {parameter.device.type for parameter in frontend.parameters()} == {"cpu"}


def test_all_happens_where_the_speech_is(monkeypatch):
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # "meta" has none
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda _: False)
    frontend = SSLFrontend({**WAVLM, "model_type": "wav2vec2"}).to("meta").eval()
    states, frames = frontend.encode(torch.empty(2, 900, device="meta"), torch.tensor([900, 500]))
    assert {states.device.type, frames.device.type} == {"meta"}


@pytest.mark.parametrize(
    ("options", "first"),
    [({"freeze_layers": 1}, 1), ({"freeze": "none"}, 0), ({"freeze": "all"}, None)],
)
def test_trained_layers_are_recomputed_where_asked_for(options, first):
    frontend = SSLFrontend(WAVLM, gradient_checkpointing=True, **options)
    assert frontend.encoder.checkpoint_from == first
    assert SSLFrontend(WAVLM, **options).encoder.checkpoint_from is None


@pytest.mark.parametrize(
    ("options", "trained"),
    [({}, True), ({"freeze_layers": 1}, False), ({"freeze_layers": 2}, False)],
)
def test_masked_frames_below_frozen_layers_teach_nothing(options, trained):
    frontend = SSLFrontend(WAVLM, spec_augment={"mask_time_prob": 0.1}, **options)
    assert dict(frontend.named_parameters())[EMBEDDING].requires_grad is trained


def test_layers_and_what_is_below_are_frozen_together():
    frontend = SSLFrontend(WAVLM, freeze_layers=1)
    assert not any(p.requires_grad for p in frontend.encoder.model.feature_extractor.parameters())
    assert frontend.train() is frontend
    modes = {name: part.training for name, part in frontend.encoder.model.named_children()}
    assert modes == {"feature_extractor": False, "feature_projection": False, "encoder": True}
    assert [layer.training for layer in frontend.encoder.layers] == [False, True]
    assert not any(part.training for part in frontend.eval().modules())
    assert frontend.train(False) is frontend


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"freeze_layers": -1}, "freeze_layers: -1"),
        ({"trim_db": 0.0}, "trim_db: 0.0"),
        ({"freeze": "CNN"}, "'CNN' is none of cnn"),
        ({"spec_augment": {"mask_time_prob": 0.0, "mask_feature_prob": 0.0}}, "both 0"),
        ({"spec_augment": {"mask_nothing": 0.0}}, "wavlm encoders have no mask_nothing"),
    ],
)
def test_limits(options, told):
    with pytest.raises(UserError, match=told):
        SSLFrontend(WAVLM, **options)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"model_type": "x"}, "model_type is 'x'"),
        ({**WAVLM, "depth": 1}, "wavlm has no setting depth"),
        ({**WAVLM, "num_attention_heads": 5}, "must be divisible"),
    ],
)
def test_faults_of_a_config_written_by_hand(config, told):
    with pytest.raises(UserError, match=rf"^SSL model config: .*{told}"):
        SSLFrontend(config)


def test_what_is_just_within_the_limits():
    assert SSLFrontend(WAVLM, trim_db=0.5).trim_db == 0.5
    numbers = {"mask_time_prob": 0.0, "mask_feature_prob": 0.5}
    assert SSLFrontend(WAVLM, spec_augment=numbers).encoder.spec_augment is True
    assert SSLFrontend({**WAVLM, "mask_time_prob": 0.1}).encoder.spec_augment is False


def test_descriptions_say_whether_spans_are_masked_and_nothing_incidental():
    described = SSLFrontend(WAVLM, spec_augment={"mask_time_prob": 0.3}).describe()
    assert (described["mask_time_prob"], described["apply_spec_augment"]) == (0.3, True)
    assert described["normalize"] is True
    assert not {"architectures", "id2label", "transformers_version"} & described.keys()
    assert SSLFrontend(WAVLM).describe()["apply_spec_augment"] is False


def test_clips_as_short_and_as_long_as_can_be():
    short, long = SSLFrontend(WAVLM), SSLFrontend(WHISPER)
    assert short.why_not(400) is short.why_not(10**9) is None
    assert "399 samples" in short.why_not(399)
    assert long.why_not(480000) is None
    assert "30.01 s, longer than the 30 s" in long.why_not(480160)
    short.check_lengths({"a": 520}, speed=1.3)
    with pytest.raises(UserError, match=r"^b at speed 1.3: 399 samples"):
        short.check_lengths({"a": 520, "b": 519}, speed=1.3)
    with pytest.raises(UserError, match=r"^b: 399 samples"):
        short.check_lengths({"b": 399})
