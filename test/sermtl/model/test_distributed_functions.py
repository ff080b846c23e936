"""Each function in two processes that share a batch of five, and in one alone."""

import multiprocessing
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch import distributed

from sermtl.model.distributed import gather_rows, leave, sum_over_ranks, world_size

RANKS, ROWS = 2, 5


def batch() -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
    """Features, labels, and what each rank's loss weighs the features by."""
    random = torch.Generator().manual_seed(0)
    features, *weights = (torch.randn(ROWS, 3, generator=random) for _ in range(1 + RANKS))
    return features, torch.tensor([3, -1, 4, 1, 5]), weights


def rank_main(rank: int, init_file: Path) -> None:
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{init_file}",
        rank=rank,
        world_size=RANKS,
        timeout=timedelta(seconds=30),
    )
    try:
        assert world_size() == RANKS
        counts = torch.tensor([1.0 + rank, 5.0])
        assert sum_over_ranks(counts).tolist() == [3.0, 10.0]
        assert counts.tolist() == [1.0 + rank, 5.0]

        features, labels, weights = batch()
        own = features[rank::RANKS].requires_grad_()
        every, every_label, rows = gather_rows(own, labels[rank::RANKS])
        assert torch.equal(every, features)
        assert torch.equal(every_label, labels)
        assert rows.tolist() == list(range(ROWS))[rank::RANKS]
        (gradient,) = torch.autograd.grad((every * weights[rank]).sum(), own)
        torch.testing.assert_close(gradient, sum(weights)[rank::RANKS])
        leave()
        assert not distributed.is_initialized()
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


def test_two_processes(tmp_path):
    # Forked, for what this process has changed to hold in the other, too.
    other = multiprocessing.get_context("fork").Process(target=rank_main, args=(1, tmp_path / "f"))
    other.start()
    rank_main(0, tmp_path / "f")
    other.join(30)
    assert other.exitcode == 0


def test_a_single_process_has_it_all():
    features, labels, _ = batch()
    every, every_label, rows = gather_rows(features, labels)
    assert every is features and every_label is labels
    assert rows.tolist() == list(range(ROWS))
    counts = torch.tensor([1.0])
    assert sum_over_ranks(counts) is counts
    assert world_size() == 1
    leave()


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_places_are_where_the_labels_are(device):
    labels = torch.zeros(3, device=device)
    assert gather_rows(labels[:, None], labels)[2].device.type == device
