"""Spans against transformers' own drawing of them."""

import numpy as np
import pytest
import torch
from transformers.models.wav2vec2.modeling_wav2vec2 import _compute_mask_indices

from sermtl.model.spec_augment import random_spans

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
