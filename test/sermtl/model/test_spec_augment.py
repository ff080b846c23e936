"""Spans against transformers' own drawing of them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers.models.wav2vec2.modeling_wav2vec2 import _compute_mask_indices

from sermtl.model.spec_augment import config_spans, random_spans

ROWS, SIZE = 3000, 60


@pytest.mark.parametrize(
    ("length", "probability", "span", "minimum"),
    [(60, 0.3, 5, 0), (40, 0.05, 10, 2), (60, 1, 3, 0)],
)
def test_as_many_places_are_masked_as_transformers_masks(length, probability, span, minimum):
    torch.manual_seed(0)
    np.random.seed(0)
    ours = random_spans(torch.full((ROWS,), length), SIZE, probability, span, minimum)
    present = torch.zeros(1, SIZE, dtype=torch.long)
    present[:, :length] = 1
    # Row by row, since it rounds the number of spans alike for all rows of a call.
    theirs = np.concatenate(
        [_compute_mask_indices((1, SIZE), probability, span, present, minimum) for _ in range(ROWS)]
    )
    assert ours.shape == theirs.shape and not ours[:, length:].any()
    assert ours.float().mean().item() == pytest.approx(theirs.mean(), rel=0.03)
    # Places near the ends are masked less often, in the same way.
    profile = ours.float().mean(0)[:length].numpy()
    assert profile == pytest.approx(theirs.mean(0)[:length], abs=0.05)


def test_rows_shorter_than_a_span_stay():
    mask = random_spans(torch.tensor([3, 10]), 10, 1.0, 4, 1)
    assert not mask[0].any() and mask[1].any()


def config(**settings):
    """What transformers' configs have, masking switched off."""
    off = {f"mask_{kind}_{key}": 0 for kind in ("time", "feature") for key in ("prob", "length")}
    return SimpleNamespace(**off, mask_time_min_masks=0, **settings)


def test_a_config_says_what_is_masked():
    hidden, lengths = torch.zeros(2, 30, 20), torch.tensor([30, 12])
    assert config_spans(config(), lengths, hidden) == (None, None)
    frames = config()
    frames.mask_time_prob, frames.mask_time_length, frames.mask_time_min_masks = 1e-9, 3, 2
    time, feature = config_spans(frames, lengths, hidden)
    assert feature is None and time.shape == (2, 30) and time.dtype == torch.bool
    for mask in time:
        assert 4 <= mask.sum() <= 6  # two spans of three, which may overlap
    assert not time[1, 12:].any()
    channels = config(mask_feature_min_masks=1)
    channels.mask_feature_prob, channels.mask_feature_length = 1e-9, 4
    time, feature = config_spans(channels, lengths, hidden)
    assert time is None and feature.shape == (2, 20)
    assert feature.sum(1).tolist() == [4, 4]
    del channels.mask_feature_min_masks  # as in WavLM's
    assert not config_spans(channels, lengths, hidden)[1].any()
    channels.mask_feature_prob = 1.0
    masked = [config_spans(channels, lengths, hidden)[1].sum(1) for _ in range(200)]
    assert 8 < torch.stack(masked).float().mean() < 20  # of five spans, with overlaps
