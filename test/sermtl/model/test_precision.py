"""Casting many weights at once, beside casting one by one."""

import pytest
import torch

from sermtl.errors import UserError
from sermtl.model.precision import compute_dtype, precision, together


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_together_and_one_by_one_are_the_same(dtype):
    torch.manual_seed(0)
    a, b, c = (torch.randn(n, 3, requires_grad=True) for n in (2, 4, 1))
    d = torch.randn(5)  # frozen
    ours = together([[a, b], [d], [c]], dtype)
    assert dtype != torch.float32 or ours[2] is c
    theirs = [torch.cat([a, b]).to(dtype), d.to(dtype), c.to(dtype)]
    gradients = []
    for tensors in (ours, theirs):
        total = sum(tensor.sin().sum() for tensor in tensors)
        gradients.append(torch.autograd.grad(total, (a, b, c)))
    for first, second in zip([*ours, *gradients[0]], [*theirs, *gradients[1]], strict=True):
        assert first.dtype == second.dtype
        assert torch.equal(first, second)


def test_a_single_tensor_comes_first_and_gradients_keep_their_type():
    weight = torch.randn(2, 3, requires_grad=True)
    (cast,) = together([[weight]], torch.bfloat16)
    assert cast.dtype == torch.bfloat16
    cast.float().sum().backward()
    assert weight.grad.dtype == torch.float32


def test_types_have_names():
    assert precision("bfloat16") is torch.bfloat16
    with pytest.raises(UserError, match=r"dtype: 'int8' is none of .*float32.*bfloat16"):
        precision("int8")


def test_the_type_to_compute_in_is_autocasts():
    cpu = torch.device("cpu")
    assert compute_dtype(cpu) == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert compute_dtype(cpu) == torch.bfloat16
    with torch.autocast("cuda", dtype=torch.float16, enabled=False):
        assert compute_dtype(cpu) == torch.float32
