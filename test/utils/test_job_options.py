"""The command line of run.pl and slurm.pl."""

from __future__ import annotations

import pytest
from job_options import HelpWanted, JobError, check_options, parse_jobs


def test_one_job():
    request = parse_jobs(["--gpu", "2", "--num_threads", "4", "a.log", "python3", "--gpu", "9"])
    assert request.options == {"gpu": "2", "num_threads": "4"}
    assert (request.log, request.command) == ("a.log", ["python3", "--gpu", "9"])
    assert list(request.numbers) == [1]


def test_an_array():
    request = parse_jobs(
        ["--mem", "4G", "JOB=2:4", "--max-jobs-run", "2", "JOB/x.JOB.log", "a=JOB"]
    )
    assert request.options == {"mem": "4G", "max_jobs_run": "2"}
    assert list(request.numbers) == [2, 3, 4]
    assert request.log_of(3) == "3/x.3.log"
    assert request.command_of(4) == ["a=4"]


def test_a_variable_of_another_name_and_one_number():
    request = parse_jobs(["SHARD=7", "SHARD.log", "echo", "JOB", "SHARD"])
    assert request.command_of(7) == ["echo", "JOB", "7"]


def test_without_an_array_job_is_a_word_like_others():
    assert parse_jobs(["x.log", "echo", "JOB"]).command_of(1) == ["echo", "JOB"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no log file"),
        (["--gpu", "1"], "no log file"),
        (["--gpu"], "--gpu needs a value"),
        (["x.log"], "no command"),
        (["JOB=3:2", "JOB.log", "true"], "before the first"),
        (["JOB=1:2", "x.log", "true"], "would share the log file"),
        (["/", "true"], "is a directory"),
    ],
)
def test_wrong_command_lines(arguments: list[str], message: str):
    with pytest.raises(JobError, match=message):
        parse_jobs(arguments)


def test_help():
    with pytest.raises(HelpWanted):
        parse_jobs(["--gpu", "1", "--help"])


def test_options_are_judged():
    check_options({"gpu": "0", "num_threads": "1", "time": "1:00:00", "name": "x"})
    check_options({"account": "x"}, more=("account",))
    with pytest.raises(JobError, match=r"unknown option --num-thread; did you mean --num-threads"):
        check_options({"num_thread": "1"})
    for name, value in [("gpu", "-1"), ("gpu", "two"), ("num_threads", "0"), ("max_jobs_run", "0")]:
        with pytest.raises(JobError, match="whole number"):
            check_options({name: value})
