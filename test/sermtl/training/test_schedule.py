import math

import pytest
import torch

from sermtl.training.schedule import WarmupCosine


def rates(epochs: int, steps: int, warmup: float, resume_at: int | None = None) -> list[list]:
    """Each step's learning rates of two groups, as the trainer drives the schedule."""

    def new():
        groups = [{"params": [torch.zeros(1)], "lr": lr} for lr in (1e-3, 1e-4)]
        optimizer = torch.optim.SGD(groups)
        return optimizer, WarmupCosine(optimizer, warmup)

    optimizer, scheduler = new()
    seen = []
    for epoch in range(1, epochs + 1):
        if epoch == resume_at:
            states = optimizer.state_dict(), scheduler.state_dict()
            optimizer, scheduler = new()
            optimizer.load_state_dict(states[0])
            scheduler.load_state_dict(states[1])
        scheduler.begin_epoch(epoch, epochs, steps)
        for _ in range(steps):
            seen.append([group["lr"] for group in optimizer.param_groups])
            optimizer.step()
            scheduler.step()
    return seen


def test_follows_the_formula():
    total = 4 * 5
    for n, (heads, encoder) in enumerate(rates(4, 5, warmup=0.25), 1):
        share = n / total
        expected = (
            share / 0.25 if share < 0.25 else (1 + math.cos(math.pi * (share - 0.25) / 0.75)) / 2
        )
        assert heads == pytest.approx(1e-3 * expected, abs=1e-12)
        assert encoder == pytest.approx(1e-4 * expected, abs=1e-12)


def test_a_resumed_training_has_the_same_rates():
    assert rates(4, 5, 0.1, resume_at=3) == rates(4, 5, 0.1)


def test_without_warm_up_falls_from_the_start():
    seen = [heads for heads, _ in rates(2, 10, 0.0)]
    assert seen == sorted(seen, reverse=True) and seen[0] > 0.99e-3 and seen[-1] == 0


@pytest.mark.parametrize("warmup", [-0.1, 1.0])
def test_refuses_what_is_no_share(warmup):
    with pytest.raises(ValueError, match="share"):
        WarmupCosine(torch.optim.SGD([torch.zeros(1)]), warmup)
