"""Tries mutmut's mutants in forks of one pytest that has collected, and run, all tests once.

mutmut itself starts pytest for each mutant, which takes longer than most of the tests. Mutants
whose names match an argument are tried, else those that weren't yet. Run it in a copy of the
project with mutmut's ``setup.cfg``.
"""

from __future__ import annotations

import contextlib
import fnmatch
import gc
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from mutmut import __main__ as mutmut
from mutmut.configuration import config
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state
from mutmut.utils.file_utils import change_cwd, walk_mutatable_files
from mutmut.utils.format_utils import mangled_name_from_mutant_name

KILLED, SURVIVED, NO_TESTS = 1, 0, 33  # mutmut's codes
PATIENCE = 4  # times as long as the unchanged code may a mutant take

Mutant = tuple[SourceFileMutationData, str]
"""Where its fate is kept, and its name."""


class Mutation:
    """A pytest plugin, for which running the tests is running them for every mutant."""

    def __init__(self, mutants: list[Mutant], jobs: int) -> None:
        self.mutants, self.jobs = mutants, jobs
        self.failed = False
        self.tests: dict[str, list[pytest.Item]] = {}  # that reach a function, in their order
        self.seconds: dict[pytest.Item, float] = {}
        self.running: dict[int, Mutant] = {}

    def pytest_configure(self, config: pytest.Config) -> None:
        config.option.tbstyle = "native"  # the others take longer than most tests
        # The same examples for all mutants, and none made smaller after a failure.
        phases = hypothesis.Phase.explicit, hypothesis.Phase.generate
        hypothesis.settings.register_profile("mutation", derandomize=True, phases=phases)
        hypothesis.settings.load_profile("mutation")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed, self.failure = True, report.longreprtext

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.reach(session.items)
        gc.freeze()  # for forks to share it
        self.mutants.sort(key=lambda mutant: self.limit(mutant[1]))  # quick ones first
        for number, (data, name) in enumerate(self.mutants):
            if len(self.running) == self.jobs:
                self.wait()
            if self.tests.get(mangled_name_from_mutant_name(name)):
                self.running[self.fork(name)] = data, name
            else:
                self.record(data, name, NO_TESTS)
            if number % 100 == 0:
                print(f"{number} of {len(self.mutants)} mutants, {time.strftime('%X')}", flush=True)
        while self.running:
            self.wait()
        return True

    def reach(self, items: list[pytest.Item]) -> None:
        """Find out which tests reach what."""
        set_mutant_under_test("stats")
        for item in items:
            started = time.process_time()
            self.run(item)
            self.seconds[item] = time.process_time() - started
            if self.failed:
                print(f"{self.failure}\nfails without any mutant: {item.nodeid}")
                pytest.exit(returncode=1)
            for function in state()._stats:
                self.tests.setdefault(function, []).append(item)
            state()._stats.clear()
        for function, tests in self.tests.items():
            own = f"test_{function.split('.')[-2]}"  # the module's own tests first
            tests.sort(key=lambda of: (not of.path.stem.startswith(own), self.seconds[of]))

    def run(self, item: pytest.Item) -> None:
        """Without fixtures of other tests', so that what these reach is reached by all."""
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)

    def limit(self, name: str) -> int:
        """Seconds that a mutant may take."""
        tests = self.tests.get(mangled_name_from_mutant_name(name), [])
        return PATIENCE * int(1 + sum(map(self.seconds.__getitem__, tests)))

    def fork(self, name: str) -> int:
        """A process that runs tests on a mutant, up to the first failure."""
        if pid := os.fork():
            return pid
        os.setsid()
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        limit = self.limit(name)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
        signal.alarm(10 * limit)  # of a clock on the wall: the machine may be busy
        set_mutant_under_test(name)
        try:
            for item in self.tests[mangled_name_from_mutant_name(name)]:
                self.run(item)
                if self.failed:
                    break
        except BaseException:
            self.failed = True
        os._exit(KILLED if self.failed else SURVIVED)

    def wait(self) -> None:
        """For the end of one process, and end what it leaves behind."""
        pid, status = os.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        data, name = self.running.pop(pid)
        code = os.waitstatus_to_exitcode(status)
        self.record(data, name, -signal.SIGXCPU if code == -signal.SIGALRM else code)

    def record(self, data: SourceFileMutationData, name: str, code: int) -> None:
        data.exit_code_by_key[name] = code
        data.save()


def chosen(patterns: list[str]) -> Iterator[Mutant]:
    """Mutants to try."""
    for path in sorted(walk_mutatable_files()):
        data = SourceFileMutationData(path=path)
        data.meta_path = data.meta_path.absolute()
        data.load()
        for name, code in data.exit_code_by_key.items():
            named = any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
            if named if patterns else code is None:
                yield data, name


def main(patterns: list[str]) -> int:
    jobs = int(os.environ.get("JOBS", "2"))
    Path("mutants").mkdir(exist_ok=True)
    with contextlib.redirect_stdout(None):
        mutmut.copy_src_dir()
        mutmut.copy_also_copy_files()
        mutmut.create_mutants(jobs)
    mutmut.setup_source_paths()
    mutation = Mutation(list(chosen(patterns)), jobs)
    with change_cwd("mutants"):
        arguments = config().pytest_add_cli_args_test_selection + config().pytest_add_cli_args
        return pytest.main(arguments, plugins=[mutation])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
