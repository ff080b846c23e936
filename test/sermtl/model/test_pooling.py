import copy
import math

import torch

from sermtl.model.pooling import AttentiveStatisticsPooling, frame_mask


def plain_pooling(pooling, frames):
    """Okabe et al. 2018, equations 2 to 5, a frame at a time."""
    first, _, last = pooling.score
    scores = [
        (last.weight[0] @ torch.tanh(first.weight @ frame + first.bias)).item() for frame in frames
    ]
    total = sum(math.exp(score) for score in scores)
    alphas = [math.exp(score) / total for score in scores]
    mean = sum(alpha * frame for alpha, frame in zip(alphas, frames, strict=True))
    square = sum(alpha * frame * frame for alpha, frame in zip(alphas, frames, strict=True))
    return torch.cat([mean, (square - mean * mean).clamp_min(1e-6).sqrt()])


def test_equals_a_plain_loop_over_the_true_frames():
    pooling = AttentiveStatisticsPooling(6, attention_size=4)
    feats, lengths = torch.randn(3, 7, 6), torch.tensor([7, 4, 2])
    pooled = pooling(feats, lengths)
    assert pooled.shape == (3, 12)
    exact = copy.deepcopy(pooling).double()  # the loop's E[h²] - E[h]² cancels in single precision
    for row, length, result in zip(feats.double(), lengths, pooled.double(), strict=True):
        torch.testing.assert_close(result, plain_pooling(exact, row[:length]), atol=1e-5, rtol=1e-4)


def test_ignores_what_is_in_the_padding():
    pooling = AttentiveStatisticsPooling(6)
    feats, lengths = torch.randn(2, 7, 6), torch.tensor([7, 3])
    other = feats.clone()
    other[1, 3:] = 1e4
    torch.testing.assert_close(pooling(feats, lengths), pooling(other, lengths))


def test_one_frame_has_no_deviation_and_a_finite_gradient():
    pooling = AttentiveStatisticsPooling(6)
    feats = torch.randn(1, 1, 6, requires_grad=True)
    pooled = pooling(feats, torch.tensor([1]))
    torch.testing.assert_close(pooled[0, :6], feats[0, 0].detach())
    assert pooled[0, 6:].max() < 2e-3
    pooled.sum().backward()
    assert feats.grad.isfinite().all()


def test_a_bias_of_all_scores_would_have_no_gradient():
    sizes = {name: p.numel() for name, p in AttentiveStatisticsPooling(6).named_parameters()}
    assert sizes == {"score.0.weight": 6 * 128, "score.0.bias": 128, "score.2.weight": 128}


def test_frame_mask():
    assert frame_mask(torch.tensor([1, 3]), 3).tolist() == [[True, False, False], [True] * 3]
