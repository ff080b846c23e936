"""A training killed again and again ends with the same parameters and metrics, bit by bit."""

from __future__ import annotations

import random
import time

import pytest
import small_training
from small_pipeline import wait_for_file
from tiny_corpus import arguments
from wholeness import broken, differences

MOMENTS = [  # shares of the training's time, or files that are waited for
    [".config.yaml.*"],
    [".1epoch.pth.*", ".2epoch.pth.*"],
    [".checkpoint.pth.*", "checkpoint.previous.pth"],
    [".valid.macro_f1.ave_2best.pth.*"],
]
OPTIONS = {"max_epoch": 4, "augment_conf": {"speeds": [0.9, 1.1], "noise_snr": [5, 20]}}


def pytest_generate_tests(metafunc) -> None:
    if "moments" in metafunc.fixturenames:
        cases = list(MOMENTS)
        for number in range(24 if metafunc.config.getoption("--long") else 2):
            chance = random.Random(number)
            cases.append([round(chance.uniform(0.1, 0.95), 2) for _ in range(1 + number % 3)])
        metafunc.parametrize("moments", cases, ids=lambda moments: "-".join(map(str, moments)))


@pytest.fixture(scope="module")
def undisturbed(training_data, tmp_path_factory):
    """The folder, and how long it took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    first = arguments(training_data, folder / "first", max_epoch=1)
    small_training.finish(first, folder / "log")  # which waits for the imports
    options = arguments(training_data, folder / "exp", **OPTIONS)
    begin = time.monotonic()
    small_training.finish(options, folder / "log")
    return folder / "exp", time.monotonic() - begin


def test_killed(training_data, undisturbed, tmp_path, moments):
    reference, seconds = undisturbed
    folder = tmp_path / "exp"
    options = arguments(training_data, folder, **OPTIONS)
    for moment in moments:
        process = small_training.start(options, tmp_path / "log")
        if isinstance(moment, str):
            wait_for_file(folder, moment, process.is_alive)
        else:
            time.sleep(moment * seconds)
        process.kill()
        process.join()
        assert not broken(folder)
    small_training.finish(options, tmp_path / "log")
    assert differences(folder, reference) == ["differs: config.yaml"]  # which names the folder
