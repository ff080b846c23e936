import numpy as np
import pytest
import torch

from sermtl.model.dropout import draw_seed, dropout, keep_mask


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("p", [0.1, 0.5])
def test_share_scale_and_gradient(p, dtype):
    torch.manual_seed(0)
    hidden = torch.ones(300, 1000, dtype=dtype, requires_grad=True)
    dropped = dropout(hidden, p, training=True)
    values, counts = dropped.unique(return_counts=True)
    assert values.tolist() == pytest.approx([0.0, 1 / (1 - p)], rel=0.01)
    share = counts[0].item() / hidden.numel()
    assert share == pytest.approx(p, abs=5 * (p * (1 - p) / hidden.numel()) ** 0.5)
    dropped.sum().backward()
    assert torch.equal(hidden.grad, dropped)


def test_off_in_evaluation():
    hidden = torch.randn(4, 5)
    assert torch.equal(dropout(hidden, 0.5, training=False), hidden)
    assert torch.equal(dropout(hidden, 0.0, training=True), hidden)


def test_all_may_be_dropped():
    assert torch.equal(dropout(torch.ones(4, 5), 1.0, training=True), torch.zeros(4, 5))


def test_torchs_own_is_too_slow_for_cpus(monkeypatch):
    monkeypatch.setattr(torch.nn.functional, "dropout", None)
    assert dropout(torch.ones(100), 0.5, training=True).sum() > 0


def test_seeds_differ():
    assert len({draw_seed() for _ in range(200)}) == 200


def test_torchs_seed_decides():
    hidden = torch.ones(1000)
    torch.manual_seed(3)
    first, second = (dropout(hidden, 0.5, True) for _ in range(2))
    torch.manual_seed(3)
    assert torch.equal(dropout(hidden, 0.5, True), first)
    assert not torch.equal(first, second)


def test_elements_are_independent():
    kept = keep_mask((200, 5000), 0.5, np.random.SFC64(1), torch.float32)
    for shift in (1, 2, 3, 4, 16):  # 4 elements share a random number
        agreement = (kept[:, shift:] == kept[:, :-shift]).float().mean().item()
        assert agreement == pytest.approx(0.5, abs=0.005)
