"""Two processes on halves of each batch against one process on the whole."""

import pytest
import torch
from ranks import started
from two_ranks import CASES, RANKS, STEPS, rank_main, train_case


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    arguments = str(folder / "init"), str(folder / "result.pt")
    with started(rank_main, RANKS, folder / "logs", *arguments) as ranks:
        for rank, process in enumerate(ranks):
            process.join(120)
            assert process.exitcode == 0, (folder / "logs" / f"{rank}.log").read_text()
    return torch.load(folder / "result.pt", weights_only=True)


@pytest.fixture(scope="module")
def alone():
    return {case: train_case(case) for case in CASES}


@pytest.mark.parametrize("case", CASES)
def test_two_ranks_equal_one_process(together, alone, case):
    one, two = alone[case], together[case]
    assert len(one["losses"]) == len(two["losses"]) == STEPS * CASES[case][1]
    torch.testing.assert_close(two, one, atol=2e-6, rtol=1e-5, equal_nan=True)


def test_means_over_each_ranks_own_rows_would_not(together, alone):
    """What the formula is for; and what the test above would find out."""
    one, two = alone["queue"]["model"], together["local means"]["model"]
    parameters = [name for name in one if not name.startswith("swfc.queue")]
    assert max((two[name] - one[name]).abs().max() for name in parameters) > 1e-3
