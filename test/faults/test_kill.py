"""Killed anywhere, even outright (`kill -9`), the same command again ends with the same results.

Every stage is killed at random moments and while chosen files are written; at once every file under
its final name must be whole. Results are then compared with those of an undisturbed run: data and
scores byte by byte, parameters and metrics of a training bit by bit.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from small_pipeline import Reference, wait_for_file
from wholeness import broken, differences

# What is written when the kill comes; and whether it hits the stage alone, as of a system short of
# memory, or its jobs as well.
AIMED = [
    (1, "dump/train/.wav.1.ark.*", False),
    (2, "dump/*/whisper/shard.1.jsonl", True),
    (5, "exp/tiny/1epoch.pth", True),
    (6, "exp/tiny/inference/test/part.*.csv", True),
    (8, "exp/tiny/.demo_tiny.unfinished/model.safetensors", False),
]
LONG_AIMED = [
    (1, "dump/valid/wav.scp", False),
    (2, "dump/train/text.corpus", False),
    (2, "dump/train/.whisper.jsonl.*", False),
    (5, "exp/tiny/conf.yaml", True),
    (5, "exp/tiny/.checkpoint.pth.*", False),
    (5, "exp/tiny/checkpoint.pth", False),
    (5, "exp/tiny/.2epoch.pth.*", False),
    (5, "exp/tiny/.history.json.*", False),
    (5, "exp/tiny/valid.macro_f1.ave_1best.pth", False),
    (6, "exp/tiny/inference/test/predictions.csv", False),
    (7, "exp/tiny/.results.json.*", False),
    (8, "exp/tiny/.demo_tiny.zip.*", False),
]
SHARES = {1: 1, 2: 1, 3: 1, 4: 1, 5: 0, 6: 1, 7: 1, 8: 0}  # random kills of each stage
LONG_SHARES = {1: 6, 2: 8, 3: 4, 4: 4, 5: 12, 6: 8, 7: 6, 8: 4}


@dataclass(frozen=True)
class Case:
    """One kill."""

    number: int
    stage: int
    moment: float | str  # share of the stage's time, or the file that is waited for
    alone: bool

    def __str__(self) -> str:
        return f"{self.number}-stage{self.stage}-{self.moment}{'-alone' * self.alone}"


def pytest_generate_tests(metafunc) -> None:
    if "case" in metafunc.fixturenames:
        long = metafunc.config.getoption("--long")
        chosen = [*AIMED, *(LONG_AIMED if long else [])]
        for stage, count in (LONG_SHARES if long else SHARES).items():
            for _ in range(count):
                chance = random.Random(len(chosen))
                chosen.append((stage, round(chance.uniform(0.02, 0.98), 2), chance.random() < 0.3))
        cases = [Case(number, *of) for number, of in enumerate(chosen)]
        metafunc.parametrize("case", cases, ids=str)


@pytest.fixture(scope="module")
def outcomes(at_work, reference, tmp_path_factory):
    return at_work(lambda case: disturb(case, reference, tmp_path_factory.mktemp("killed")))


def disturb(case: Case, reference: Reference, folder: Path) -> tuple[list[str], list[str]]:
    """Kill, look, run again; tells the broken files and the differences."""
    seconds = reference.seconds(case.stage)
    pipeline = reference.before(case.stage, folder / "run")
    process = pipeline.start(case.stage)
    if isinstance(case.moment, str):
        wait_for_file(pipeline.folder, case.moment, lambda: process.poll() is None)
    else:
        time.sleep(case.moment * seconds)
    if case.alone:
        process.kill()
    else:
        pipeline.kill_all()
    process.communicate()
    damage = broken(pipeline.folder)
    pipeline.run(case.stage)
    assert not pipeline.living()
    return damage, differences(pipeline.folder, reference.after(case.stage))


def test_killed(case, outcomes):
    damage, changes = outcomes[case].result()
    assert not damage
    assert not changes
