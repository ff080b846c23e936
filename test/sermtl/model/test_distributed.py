"""Two processes on halves of each batch against one process on the whole."""

import pytest
import torch
from tiny import ser_model
from torch import multiprocessing
from two_ranks import RANKS, batches, rank_main, train


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    arguments = (str(folder / "init"), str(folder / "result.pt"))
    multiprocessing.spawn(rank_main, arguments, nprocs=RANKS)
    return torch.load(folder / "result.pt", weights_only=True)


def test_two_ranks_equal_one_process(together):
    torch.manual_seed(0)
    model = ser_model(swfc={"queue_size": 8}).train()
    losses = train(model, model, batches(), 1)
    for ours, theirs in zip(losses, together["losses"], strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            torch.testing.assert_close(theirs[name], value, atol=1e-5, rtol=1e-4)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(together["model"][name], value, atol=1e-5, rtol=1e-4)
