"""Casting many weights at once, beside casting one by one."""

import pytest
import torch

from sermtl.model.precision import together


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_together_and_one_by_one_are_the_same(dtype):
    torch.manual_seed(0)
    a, b, c = (torch.randn(n, 3, requires_grad=True) for n in (2, 4, 1))
    d = torch.randn(5)  # frozen
    ours = together([[a, b], [d], [c]], dtype)
    theirs = [torch.cat([a, b]).to(dtype), d.to(dtype), c.to(dtype)]
    gradients = []
    for tensors in (ours, theirs):
        total = sum(tensor.sin().sum() for tensor in tensors)
        gradients.append(torch.autograd.grad(total, (a, b, c)))
    for first, second in zip([*ours, *gradients[0]], [*theirs, *gradients[1]], strict=True):
        assert first.dtype == second.dtype
        assert torch.equal(first, second)
