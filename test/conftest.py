"""Fixtures that many tests share."""

from __future__ import annotations

import tempfile
from pathlib import Path

import kaldiio
import pytest
import soundfile
import yaml
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser) -> None:
    parser.addoption("--long", action="store_true", help="all faults, not only CI's share")


def pytest_configure(config) -> None:
    """How many examples properties are tried on: in CI few and always the same ones."""
    set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "hypothesis")  # not in the checkout
    common = {"database": None, "deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
    settings.register_profile("ci", derandomize=True, max_examples=50, **common)
    settings.register_profile("long", max_examples=1000, **common)
    settings.load_profile("long" if config.getoption("--long") else "ci")


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's top folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real speech and weights kept beside the checkout; tests that need them skip without."""
    folder = ROOT.parent / "shared"
    if not (folder / "corpora").is_dir():
        pytest.skip(f"no real corpora at {folder}")
    return folder


@pytest.fixture(scope="session")
def training_data(tmp_path_factory):
    """What stage 4 leaves of a very small corpus."""
    from tiny_corpus import write

    from sermtl.data.datadir import read_column, write_column

    folder = tmp_path_factory.mktemp("data")
    write(folder)
    for part in ("train", "valid"):
        write_column(folder / part / "utt2num_samples", read_column(folder / part / "speech_shape"))
    return folder


@pytest.fixture(scope="session")
def trained(training_data, tmp_path_factory):
    """``exp/<tag>`` after stage 5."""
    from tiny_corpus import arguments

    from sermtl.training.task import SERTask

    output = tmp_path_factory.mktemp("exp")
    SERTask.main(cmd=arguments(training_data, output, max_epoch=1))
    (output / "tokens").mkdir()
    for file in (training_data / "tokens").iterdir():
        (output / "tokens" / file.name).write_bytes(file.read_bytes())
    conf = yaml.safe_load((output / "config.yaml").read_text())["frontend_conf"]
    (output / "conf.yaml").write_text(yaml.safe_dump({"frontend_conf": conf}))
    return output


@pytest.fixture(scope="session")
def recognizer(trained):
    from sermtl import EmotionRecognizer

    return EmotionRecognizer.from_pretrained(trained)


@pytest.fixture(scope="session")
def clips(training_data, tmp_path_factory):
    """Recordings that it wasn't trained on."""
    folder = tmp_path_factory.mktemp("some clips")
    paths = []
    for utt_id, (rate, samples) in kaldiio.load_scp(
        str(training_data / "valid" / "wav.scp")
    ).items():
        paths.append(folder / f"{utt_id}.wav")
        soundfile.write(paths[-1], samples, rate)
    return paths
