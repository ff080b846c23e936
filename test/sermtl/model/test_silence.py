"""Trimming against a plain loop, and batched against alone."""

import numpy as np
import pytest
import torch

from sermtl.model.silence import trim_silence
from sermtl.model.ssl_frontend import SSLFrontend


def bursts() -> tuple[torch.Tensor, torch.Tensor]:
    """Noise between stretches 60 dB below; one clip loud to its very end, one silent."""
    torch.manual_seed(0)
    speech = 1e-4 * torch.randn(4, 20000)
    speech[0, 6000:12000] += 0.1 * torch.randn(6000)
    speech[1, 9000:15123] += 0.1 * torch.randn(6123)
    speech[2] = 0
    speech[3, 0:500] += 0.1 * torch.randn(500)
    lengths = torch.tensor([20000, 15123, 8000, 9999])
    for row, length in zip(speech, lengths, strict=True):
        row[length:] = 0
    return speech, lengths


def by_hand(clip: np.ndarray, below: float) -> tuple[int, int]:
    levels = [np.mean(clip[s : s + 400] ** 2) for s in range(0, len(clip) - 399, 160)]
    loud = [i for i, level in enumerate(levels) if level >= max(levels) * 10 ** (-below / 10)]
    return max(0, loud[0] * 160 - 1600), min(len(clip), loud[-1] * 160 + 400 + 1600)


@pytest.mark.parametrize("below", [10.0, 35.0, 100.0])
def test_equals_a_plain_loop(below):
    speech, lengths = bursts()
    trimmed, kept = trim_silence(speech, lengths, below)
    for row, length, clip, n in zip(speech, lengths, trimmed, kept, strict=True):
        start, end = by_hand(row[:length].double().numpy(), below)
        assert n == end - start
        assert torch.equal(clip[:n], row[start:end])
        assert (clip[n:] == 0).all()
    assert trimmed.shape[1] == kept.max()
    assert kept[2] == 8000  # without any sound there is nothing to go by
    if below == 35.0:
        assert kept[0] < 10000 and kept[1] < 9000


@pytest.mark.parametrize(("level", "kept"), [(-34.0, 20000), (-36.0, 12000)])
def test_below_is_in_decibels(level, kept):
    clip = torch.ones(1, 20000)
    clip[:, 10000:] = 10 ** (level / 20)
    _, lengths = trim_silence(clip, torch.tensor([20000]), 35.0)
    assert int(lengths[0]) == pytest.approx(kept, abs=400)


def test_padding_makes_no_windows():
    """What lies behind the last whole window is heard in none, as if the clip were alone."""
    speech = torch.zeros(3, 10100)
    speech[:, :10000] = 0.01 * torch.randn(10000)
    speech[0, 10000:] = 10.0
    speech[1, 9990:10000] = 10.0  # in the last window alone
    lengths = torch.tensor([10100, 10100, 10050])
    trimmed, kept = trim_silence(torch.cat([speech, torch.zeros(3, 700)], 1), lengths, 35.0)
    for row, length, clip, n in zip(speech, lengths, trimmed, kept, strict=True):
        start, end = by_hand(row[:length].double().numpy(), 35.0)
        assert torch.equal(clip[:n], row[start:end])
    assert kept.tolist() == [10100, 2100, 10050]


@pytest.mark.parametrize("model_type", ["wavlm", "whisper"])
def test_an_encoder_sees_the_trimmed_clip_alone(model_type):
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    sizes |= {"intermediate_size": 48, "conv_dim": [16] * 7, "num_conv_pos_embedding_groups": 4}
    if model_type == "whisper":
        sizes = {"d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2}
        sizes |= {"encoder_ffn_dim": 48}
    config = {"model_type": model_type, **sizes}
    torch.manual_seed(0)
    trimming = SSLFrontend(config, trim_db=35.0).eval()
    plain = SSLFrontend(config).eval()
    plain.load_state_dict(trimming.state_dict())
    speech, lengths = bursts()
    states, frames = trimming.encode(speech, lengths)
    expected, expected_frames = plain.encode(*trim_silence(speech, lengths, 35.0))
    assert torch.equal(frames, expected_frames)
    torch.testing.assert_close(states, expected, atol=1e-6, rtol=0)
    for row, length in enumerate(lengths):
        alone, _ = trimming.encode(speech[row : row + 1, :length], lengths[row : row + 1])
        torch.testing.assert_close(states[:, row, : frames[row]], alone[:, 0], atol=1e-5, rtol=0)
