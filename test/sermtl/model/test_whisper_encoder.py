"""What Whisper's encoder masks in training."""

from contextlib import nullcontext

import pytest
import torch
from tiny import WHISPER

from sermtl.model import whisper_encoder
from sermtl.model.ssl_frontend import SSLFrontend

TINY = {**WHISPER, "encoder_layers": 1, "mask_time_prob": 0.1}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("masked", [{"time", "feature"}, {"time"}, {"feature"}])
def test_what_is_masked_of_the_spectrogram(masked, training, monkeypatch):
    time = torch.zeros(2, 10, dtype=torch.bool)
    time[0, 4] = time[1, 2] = True
    feature = torch.zeros(2, 80, dtype=torch.bool)
    feature[0, 5] = feature[1, 7:9] = True
    spans = time if "time" in masked else None, feature if "feature" in masked else None
    monkeypatch.setattr(whisper_encoder, "config_spans", lambda *_: spans)
    torch.manual_seed(0)
    encoder = SSLFrontend(TINY, spec_augment=True).encoder.train(training)
    speech, lengths = torch.randn(2, 1600), torch.tensor([1600, 1120])
    speech[1, 1120:] = 0
    seen = []
    encoder.model.conv1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    encoder.extract(speech, lengths)
    expected = encoder.log_mel(speech, lengths)
    if training and "time" in masked:
        expected[0, 4] = expected[1, 2] = 0
    if training and "feature" in masked:
        expected[0, :, 5] = expected[1, :, 7] = expected[1, :, 8] = 0
    assert torch.equal(seen[0], expected.transpose(1, 2))


def test_all_happens_where_the_speech_is(monkeypatch):
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # "meta" has none
    encoder = SSLFrontend(TINY).encoder.to("meta")
    features = encoder.extract(torch.empty(2, 1600, device="meta"), torch.tensor([1600, 1120]))
    assert features.shape == (2, 5, 16) and features.device.type == "meta"
