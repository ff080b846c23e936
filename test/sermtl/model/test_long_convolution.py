import pytest
import torch
import torch.nn.functional as F

from sermtl.model.long_convolution import long_convolution, transforms


@pytest.mark.parametrize(
    ("batch", "frames", "width", "groups", "taps"),
    [
        (3, 50, 12, 3, 8),
        (2, 300, 32, 4, 128),  # three blocks
        (2, 129, 8, 2, 128),  # a block exactly
        (1, 1, 8, 2, 16),
        (2, 40, 8, 1, 7),
    ],
)
def test_equals_a_convolution_in_time(batch, frames, width, groups, taps):
    torch.manual_seed(0)
    signal = torch.randn(batch, frames, width, requires_grad=True)
    weight = (0.1 * torch.randn(width, width // groups, taps)).requires_grad_()
    bias = torch.randn(width, requires_grad=True)
    expected = F.conv1d(signal.transpose(1, 2), weight, bias, padding=taps // 2, groups=groups)
    expected = expected[..., :frames].transpose(1, 2)
    actual = long_convolution(signal, weight, bias, groups)
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)

    gradient = torch.randn_like(actual)
    inputs = signal, weight, bias
    for ours, theirs in zip(
        torch.autograd.grad(actual, inputs, gradient),
        torch.autograd.grad(expected, inputs, gradient),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_half_precision_signals_are_computed_on_in_single():
    torch.manual_seed(0)
    signal, weight = torch.randn(1, 20, 4).bfloat16(), torch.randn(4, 4, 8)
    assert torch.equal(
        long_convolution(signal, weight, None, 1), long_convolution(signal.float(), weight, None, 1)
    )


def test_training_after_inference():
    """What is kept between calls must not be of inference mode."""
    transforms.cache_clear()
    signal, weight = torch.randn(1, 20, 4), torch.randn(4, 4, 8, requires_grad=True)
    with torch.inference_mode():
        long_convolution(signal, weight, None, 1)
    long_convolution(signal, weight, None, 1).sum().backward()
    assert weight.grad is not None
