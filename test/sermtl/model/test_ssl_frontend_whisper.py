"""Whisper's encoder on true lengths, against transformers' on 30 s and a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch
import transformers

from sermtl.errors import UserError
from sermtl.model.log_mel import LogMel
from sermtl.model.ssl_frontend import SSLFrontend

TINY = {
    "model_type": "whisper",
    "d_model": 32,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 48,
    "decoder_attention_heads": 2,
}
LIMIT = 480000


def noise(*lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Zero-padded noise that swells towards each clip's end."""
    torch.manual_seed(1)
    speech = torch.zeros(len(lengths), max(lengths))
    for row, length in zip(speech, lengths, strict=True):
        row[:length] = 0.1 * torch.randn(length) * torch.linspace(0.01, 1, length)
    return speech, torch.tensor(lengths)


@pytest.fixture(scope="module")
def tiny() -> SSLFrontend:
    torch.manual_seed(0)
    return SSLFrontend(TINY).eval()


@pytest.mark.parametrize("bins", [80, 128])
def test_log_mel_equals_the_feature_extractor_frame_by_frame(bins):
    # Lengths around the hop, half a window and the end of the 30 s.
    speech, lengths = noise(400, 479, 480, 481, 16000, 33333, 479700, 479801, 479999, LIMIT)
    mel = LogMel(bins, LIMIT)(speech, lengths)
    extractor = transformers.WhisperFeatureExtractor(feature_size=bins)
    for row, clip, length in zip(mel, speech, lengths.tolist(), strict=True):
        expected = extractor(clip[:length].numpy(), sampling_rate=16000).input_features[0]
        frames = -(-length // 160)
        np.testing.assert_allclose(row[:frames].T, expected[:, :frames], atol=2e-5)
        assert (row[frames:] == 0).all()
        single = LogMel(bins, LIMIT)(clip[None, :length], torch.tensor([length]))[0]
        assert len(single) == frames
        torch.testing.assert_close(single, row[:frames], atol=1e-6, rtol=0)


def test_log_mel_peak_just_beyond_the_last_frame():
    # The loudest window is centred after the clip's end; it sets the floor all the same.
    clip = torch.zeros(1, 1601)
    clip[0, 800], clip[0, -1] = 1e-3, 1.0
    clip[0, -160:-1] = 1e-7
    mel = LogMel(80, LIMIT)(clip, torch.tensor([1601]))[0]
    extractor = transformers.WhisperFeatureExtractor()
    expected = extractor(clip[0].numpy(), sampling_rate=16000).input_features[0]
    np.testing.assert_allclose(mel.T, expected[:, :11], atol=2e-5)


def test_log_mel_is_there_before_weights_are_and_in_no_checkpoint():
    with torch.device("meta"):
        mel = LogMel(80, LIMIT)
    assert mel.window.device.type == mel.filters.device.type == "cpu"
    assert mel.state_dict() == {}


def test_thirty_seconds_equal_transformers(tiny):
    speech, lengths = noise(LIMIT)
    states, frames = tiny.encode(speech, lengths)
    assert_equals_transformers(tiny, speech[0], states)
    assert frames.tolist() == [1500]


def assert_equals_transformers(frontend: SSLFrontend, clip: torch.Tensor, states: torch.Tensor):
    reference = transformers.WhisperModel(frontend.encoder.model.config).encoder.eval()
    reference.load_state_dict(frontend.encoder.model.state_dict())
    bins = frontend.encoder.model.config.num_mel_bins
    extractor = transformers.WhisperFeatureExtractor(feature_size=bins)
    features = extractor(clip.numpy(), sampling_rate=16000, return_tensors="pt").input_features
    with torch.no_grad():
        output = reference(features, output_hidden_states=True)
    expected = torch.stack([*output.hidden_states[:-1], output.last_hidden_state])
    torch.testing.assert_close(states, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("length", [400, 7777, 16000, 16001])
def test_short_clip_equals_a_plain_loop(tiny, length):
    speech, lengths = noise(length)
    with torch.no_grad():
        states, frames = tiny.encode(speech, lengths)
        expected = plain_encoder(tiny, speech[0])
    assert frames.tolist() == [expected.shape[1]] == [-(-length // 320)]
    torch.testing.assert_close(states[:, 0], expected, atol=1e-5, rtol=0)


def plain_encoder(frontend: SSLFrontend, clip: torch.Tensor) -> torch.Tensor:
    """Whisper's encoder from its weights, one head at a time, no padding: ``(L+1, T, D)``."""
    weights = frontend.encoder.model.state_dict()
    config = frontend.encoder.model.config
    heads = config.encoder_attention_heads
    size = config.d_model // heads

    def linear(x, name):
        return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", 0)

    def norm(x, name):
        x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, correction=0) + 1e-5).sqrt()
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def conv(x, name, stride):
        x = torch.cat([x[:1] * 0, x, x[:1] * 0])
        taps = [
            x[k : len(x) - 2 + k][::stride] @ weights[f"{name}.weight"][:, :, k].T
            for k in (0, 1, 2)
        ]
        x = sum(taps) + weights[f"{name}.bias"]
        return x * 0.5 * (1 + torch.erf(x / 2**0.5))

    extractor = transformers.WhisperFeatureExtractor(feature_size=config.num_mel_bins)
    mel = extractor(clip.numpy(), sampling_rate=16000, return_tensors="pt").input_features[0]
    x = conv(conv(mel[:, : -(-len(clip) // 160)].T, "conv1", 1), "conv2", 2)
    x = x + weights["embed_positions.weight"][: len(x)]
    states = []
    for layer in range(config.encoder_layers):
        states.append(x)
        name = f"layers.{layer}"
        y = norm(x, f"{name}.self_attn_layer_norm")
        q, k, v = (linear(y, f"{name}.self_attn.{part}_proj") for part in "qkv")
        outputs = []
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            scores = q[:, part] @ k[:, part].T / size**0.5
            outputs.append(scores.softmax(-1) @ v[:, part])
        x = x + linear(torch.cat(outputs, -1), f"{name}.self_attn.out_proj")
        y = linear(norm(x, f"{name}.final_layer_norm"), f"{name}.fc1")
        x = x + linear(y * 0.5 * (1 + torch.erf(y / 2**0.5)), f"{name}.fc2")
    return torch.stack([*states, norm(x, "layer_norm")])


def test_longer_than_thirty_seconds_is_refused(tiny):
    with pytest.raises(
        ValueError, match=r"clip 1 of the batch: 30.00 s, longer than the 30 s .*cut it"
    ):
        tiny.encode(torch.zeros(2, LIMIT + 1), torch.tensor([400, LIMIT + 1]))


def test_real_encoder(shared):
    folder = shared / "models" / "whisper-tiny.en-encoder"
    frontend = SSLFrontend(str(folder)).eval()
    assert (frontend.num_states, frontend.output_size()) == (5, 384)
    assert frontend.normalize is False
    assert {p.dtype for p in frontend.parameters()} == {torch.float32}
    frozen = {n for n, p in frontend.encoder.model.named_parameters() if not p.requires_grad}
    assert frozen == {
        *("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"),
        "embed_positions.weight",
    }

    clips = sorted((shared / "corpora" / "ravdess" / "Actor_01").iterdir())[:2]
    speech = [torch.from_numpy(soundfile.read(clip, dtype="float32")[0]) for clip in clips]
    lengths = torch.tensor([len(s) for s in speech])
    with torch.no_grad():
        states, frames = frontend.encode(
            torch.nn.utils.rnn.pad_sequence(speech, batch_first=True), lengths
        )
        for b, clip in enumerate(speech):
            expected = plain_encoder(frontend, clip)
            # Whisper has a channel that reaches the hundreds.
            torch.testing.assert_close(
                states[:, b, : frames[b]], expected, atol=1e-3, rtol=1e-4, msg=str(clips[b])
            )
        long = torch.cat(speech * 10)[:LIMIT]
        states, _ = frontend.encode(long[None], torch.tensor([LIMIT]))
        assert_equals_transformers(frontend, long, states)


def test_real_encoder_with_lost_weights(shared, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shared / "models" / "whisper-tiny.en-encoder"
    tensors = load_file(folder / "model.safetensors")
    tensors.pop("encoder.layer_norm.bias")
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(UserError, match=r"missing: layer_norm\.bias"):
        SSLFrontend(str(tmp_path))
