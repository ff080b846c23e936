"""Counts the faults and what was lost to them, by promise."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from small_pipeline import Reference
from tiny_whisper import write_checkpoint

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def long_form(request) -> bool:
    """Whether ``--long`` asks for all cases, not only for those that CI has the time for."""
    return request.config.getoption("--long")


@pytest.fixture(scope="session")
def reference(tmp_path_factory) -> Reference:
    """All stages of a very small corpus, undisturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return Reference(folder, write_checkpoint(folder / "whisper.pt"))


@pytest.fixture(scope="module")
def at_work(request) -> Iterator[Callable]:
    """Takes a function of a module's cases and tells what will come of it, two being at work."""
    items = [item for item in request.session.items if item.path == request.path]
    cases = [item.callspec.params["case"] for item in items if "case" in item.fixturenames]
    with ThreadPoolExecutor(2) as pool:
        yield lambda function: {case: pool.submit(function, case) for case in cases}
        pool.shutdown(cancel_futures=True)


def pytest_terminal_summary(terminalreporter) -> None:
    cases, losses = Counter(), Counter()
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            path = HERE.parents[1] / getattr(report, "nodeid", "").partition("::")[0]
            if path.parent != HERE or outcome not in ("passed", "failed", "error"):
                continue
            cases[path.stem] += report.when == "call" or outcome == "error"
            losses[path.stem] += outcome != "passed"
    if not cases:
        return
    terminalreporter.section("faults")
    for name in sorted(cases):
        module = ast.parse((HERE / f"{name}.py").read_text())
        promise = (ast.get_docstring(module) or name).splitlines()[0]
        terminalreporter.line(f"{cases[name]:5} cases, {losses[name]} losses: {promise}")
