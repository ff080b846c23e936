"""The model's CTC loss against the sum over all paths, written out."""

import itertools
import math

import pytest
import torch
from tiny import TOKENS, ser_model

from sermtl.model.ser_model import Outputs

FRAMES = 4


def collapsed(path: tuple[int, ...]) -> list[int]:
    return [token for token, _ in itertools.groupby(path) if token]


def plain(log_p: torch.Tensor, target: list[int]) -> float:
    """Of ``(T, tokens)``; infinite if no path gives the target."""
    total, rows = 0.0, log_p.exp().tolist()
    for path in itertools.product(range(len(TOKENS)), repeat=len(log_p)):
        if collapsed(path) == target:
            total += math.prod(p[token] for p, token in zip(rows, path, strict=True))
    return -math.log(total) if total else math.inf


@pytest.mark.parametrize("deterministic", [False, True])
def test_losses_and_who_has_one(deterministic):
    torch.manual_seed(0)
    targets = [[2, 3], [2, 2], [2, 2], [2], [], [3, 3, 2], [4, 4, 4], [1], [2, 3, 2, 3], [3]]
    frames = torch.tensor([2, 3, 2, 1, 3, 4, 4, 4, 4, 2])
    # What lies beyond a transcript's end doesn't matter, be it the same token again.
    text = torch.tensor([(t + (t[-1:] or [2]) * 4)[:4] for t in targets])
    text[-1, 1:] = -1
    logits = torch.randn(len(targets), FRAMES, len(TOKENS), requires_grad=True)
    outputs = Outputs(torch.zeros(0), {"asr": logits}, frames, None, None)
    lengths = torch.tensor(list(map(len, targets)))
    torch.use_deterministic_algorithms(deterministic)
    try:
        losses, counted = ser_model().task_losses(outputs, {"asr": text}, lengths)["asr"]
    finally:
        torch.use_deterministic_algorithms(False)

    for row, target in enumerate(targets):
        log_p = logits[row, : frames[row]].detach().log_softmax(-1)
        expected = plain(log_p, target)
        assert counted[row] == (expected < math.inf and target != [])
        share = expected / len(target) if counted[row] else 0.0
        assert losses[row].item() == pytest.approx(share, rel=1e-5)
    assert counted.sum() == 7
    losses.sum().backward()
    assert logits.grad.isfinite().all()
    assert torch.equal(logits.grad.flatten(1).any(1), counted)
