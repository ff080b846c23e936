"""A full disk stops a stage with one line and no damage; with room, the same command goes on."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

import pytest
from full_disk import fill, small_disk
from small_pipeline import STAGES, Reference
from wholeness import broken, differences, files_of

SHARES = [0.5]  # of what a stage leaves fits the disk
LONG_SHARES = [0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.85]


@dataclass(frozen=True)
class Case:
    """A disk that has room for a share of what a stage leaves."""

    stage: int
    share: float

    def __str__(self) -> str:
        return f"stage{self.stage}-{self.share}"


def pytest_generate_tests(metafunc) -> None:
    if "case" in metafunc.fixturenames:
        shares = LONG_SHARES if metafunc.config.getoption("--long") else SHARES
        cases = [Case(stage, share) for stage in STAGES for share in shares]
        metafunc.parametrize("case", cases, ids=str)


def size(folder: Path) -> int:
    files = (path.lstat() for path in folder.rglob("*"))
    return sum(file.st_blocks * 512 for file in files if stat.S_ISREG(file.st_mode))


@pytest.fixture(scope="module")
def outcomes(at_work, reference, tmp_path_factory):
    return at_work(lambda case: disturb(case, reference, tmp_path_factory.mktemp("full")))


def disturb(case: Case, reference: Reference, folder: Path) -> dict[str, object]:
    """Run on a disk that is too small, look, make room, run again."""
    after = reference.after(case.stage)
    with small_disk(folder / "disk") as disk:
        pipeline = reference.before(case.stage, disk / "run")
        room = int(case.share * (size(after) - size(pipeline.folder)))
        before = {name: path.read_bytes() for name, path in files_of(pipeline.folder).items()}
        filler = fill(disk, room)
        told = pipeline.refused(case.stage)
        outcome = {
            "told": told,
            "broken": broken(pipeline.folder),
            "changed": [
                name
                for name, content in before.items()
                if not same_file(pipeline.folder / name, content, after / name)
            ],
        }
        filler.unlink()
        pipeline.run(case.stage)
        return outcome | {"different": differences(pipeline.folder, after)}


def same_file(path: Path, before: bytes, after: Path) -> bool:
    """Whether it is as it was, or as it would be after the stage."""
    content = path.read_bytes()
    return content == before or content == after.read_bytes()


def test_full_disk(case, outcomes):
    outcome = outcomes[case].result()
    told = outcome["told"]
    assert "Traceback" not in told
    assert sum(line.startswith("error: ") for line in told.splitlines()) == 1
    assert "No space left on device" in told
    assert not outcome["broken"]
    assert not outcome["changed"]
    assert not outcome["different"]
