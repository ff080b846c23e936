"""Fixtures that the tests on a real Slurm share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from two_nodes import Cluster


@pytest.fixture(scope="module")
def cluster(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """For a module, which leaves nothing behind."""
    if "SLURM_CONF" not in os.environ:
        pytest.fail("these tests need a Slurm of their own: test/cluster/run.sh")
    cluster = Cluster(root, tmp_path_factory.mktemp("on a cluster"))
    yield cluster
    cluster.until_left()
