"""What becomes of three processes, which only add numbers up, when one of them fails."""

import os
import signal
from argparse import Namespace
from multiprocessing import active_children

import pytest
from espnet2.train.distributed_utils import free_port
from failing import RANKS, SECONDS, add_up, end_or_wait
from ranks import CONTEXT, started
from torch.multiprocessing import ProcessContext

from sermtl.errors import UserError
from sermtl.training import processes


def last_lines(folder, init, failing, failure):
    """By rank, the error that those told at last that could, and the process that failed."""
    with started(add_up, RANKS, folder, init, failing, failure) as ranks:
        for rank, process in enumerate(ranks):
            if rank != failing:
                process.join(120)  # torch's own limit is half an hour
                assert process.exitcode == 1
    logs = {rank: (folder / f"{rank}.log").read_text() for rank in range(RANKS)}
    last = {rank: log.splitlines()[-1] for rank, log in logs.items() if log}
    # ESPnet may have something to say when it is imported.
    told = {rank: line for rank, line in last.items() if line.startswith("error: ")}
    return told, ranks[failing].pid


@pytest.fixture
def meeting(tmp_path):
    return f"file://{tmp_path}/meeting"


def test_one_that_is_killed_is_named_by_the_others(tmp_path, meeting):
    lines, pid = last_lines(tmp_path / "logs", meeting, 1, signal.SIGKILL)
    assert lines.keys() == {0, 2}
    for line in lines.values():
        assert line.startswith("error: another process of this training has died: rank 1 of 3 (")
        assert line.endswith(f", process {pid})")
    assert "by peer" in (tmp_path / "logs" / "0.log").read_text()  # connection closed, or reset


def test_one_that_hangs_is_named_when_the_time_is_over(tmp_path, meeting):
    lines, pid = last_lines(tmp_path / "logs", meeting, 2, signal.SIGSTOP)
    assert lines.keys() == {0, 1}
    for line in lines.values():
        assert f"has not answered for {SECONDS} s (--dist_timeout): rank 2 of 3 (" in line
        assert line.endswith(f", process {pid})")


@pytest.mark.parametrize("failure", [signal.SIGKILL, signal.SIGSTOP])
def test_the_one_that_keeps_the_store_is_named_without_it(tmp_path, failure):
    lines, _ = last_lines(tmp_path, f"tcp://localhost:{free_port()}", 0, failure)
    assert lines.keys() == {1, 2}
    for line in lines.values():
        assert "rank 0 of 3" in line and "rank 2 of 3" not in line


def test_a_failure_is_told_by_all(tmp_path, meeting):
    lines, pid = last_lines(tmp_path / "logs", meeting, 1, MemoryError("no space for 1 GiB"))
    assert len(set(lines.values())) == 1
    assert lines[1].startswith("error: rank 1 of 3 (")
    assert lines[1].endswith(f", process {pid}) failed: MemoryError: no space for 1 GiB")
    assert "Traceback" in (tmp_path / "logs" / "1.log").read_text()


def test_a_users_error_is_told_as_it_is(tmp_path, meeting):
    lines, _ = last_lines(tmp_path / "logs", meeting, 0, UserError("a.csv:3: twice"))
    assert set(lines.values()) == {"error: a.csv:3: twice"}
    assert "Traceback" not in (tmp_path / "logs" / "0.log").read_text()


def test_one_that_never_comes_is_not_waited_for_for_ever(tmp_path, meeting):
    lines, _ = last_lines(tmp_path / "logs", meeting, 2, None)
    assert lines.keys() == {0, 1}
    for line in lines.values():
        assert line.startswith("error: the processes of this training don't find together")


@pytest.mark.parametrize(
    ("how", "told"), [(3, r"ended with exit status 3"), (None, r"was killed by SIGKILL")]
)
def test_how_one_of_a_machines_processes_died(how, told):
    children = [CONTEXT.Process(target=end_or_wait, args=(status,)) for status in (None, how)]
    for child in children:
        child.start()
    second = children[1].pid
    if how is None:
        os.kill(second, signal.SIGKILL)
    args = Namespace(ngpu=2, dist_rank=1, dist_launcher=None, dist_world_size=4)  # second node
    with (
        pytest.raises(UserError, match=rf"^rank 3 of 4 \(.+, process {second}\) {told}$"),
        processes.supervised(args),
    ):
        ProcessContext(children, ["", ""]).join()
    assert not active_children()


def test_no_process_outlives_the_one_that_watches_it(tmp_path):
    args = Namespace()
    with pytest.raises(SystemExit), processes.supervised(args):
        child = CONTEXT.Process(target=end_or_wait, args=(None,))
        child.start()
        raise SystemExit(143)
    child.join(10)
    assert child.exitcode == -signal.SIGKILL
