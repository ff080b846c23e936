"""What vanished, or can't be written, is named; once it is back, the same command goes on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import small_training
import soundfile
from full_disk import read_only, small_disk
from small_pipeline import EXP, STAGES, Pipeline, Reference, wait_for_file
from tiny_corpus import arguments, write
from wholeness import broken, differences

from sermtl.data import dump as dumping
from sermtl.data.utterance import Utterance

# Stage, what goes before it, what is told.
GONE = [
    (2, "dump/train/wav.scp", "dump/train/wav.scp is missing: run stage 1"),
    (2, "dump/train/wav.1.ark", "wav.1.ark"),
    (2, "dump/train/utt2dur", "dump/train/utt2dur is missing: run stage 1"),
    (2, "dump/train/text", "dump/train/text is missing: run stage 1"),
    (3, "dump/train/text", "dump/train/text is missing: run stage 1"),
    (3, "data/train", "there is no set 'train' in data (of stage 1)"),
    (4, "dump/train/utt2emo", "dump/train/utt2emo is missing: run stage 1"),
    (4, "dump/train/wav.1.ark", "wav.1.ark: bring it back, or run stage 1"),
    (5, "exp/stats", "exp/stats/labels.json is missing: run stage 4"),
    (5, "exp/stats/valid/utt2emo", "exp/stats/valid/utt2emo is missing: run stage 4"),
    (5, "dump/tokens/bpe", "dump/tokens/bpe is missing: run stage 3"),
    (5, "dump/tokens/bpe/tokens.txt", "dump/tokens/bpe isn't as stage 3 leaves it: run stage 3"),
    (5, "dump/train/wav.1.ark", "wav.1.ark"),
    (5, "dump/valid/audio.sha256", "dump/valid/audio.sha256 is missing: run stage 1"),
    (5, "tiny.yaml", "there is no configuration tiny.yaml"),
    (6, f"{EXP}/final.pth", f"{EXP}/final.pth is missing: train to the end (stage 5)"),
    (6, f"{EXP}/config.yaml", f"{EXP}/config.yaml"),
    (6, "dump/test/wav.scp", "dump/test/wav.scp is missing: run stage 1"),
    (6, "dump/test/wav.1.ark", "wav.1.ark"),
    (7, f"{EXP}/inference/test/predictions.csv", "predictions.csv is missing: run stage 6"),
    (7, f"{EXP}/inference/test/speaker_embeddings.npz", "run stage 6 again"),
    (7, "dump/test/utt2emo", "dump/test/utt2emo is missing: run stage 1"),
    (8, f"{EXP}/final.pth", f"{EXP}/final.pth is missing: train first (stage 5)"),
    (8, f"{EXP}/conf.yaml", f"{EXP}/conf.yaml"),
    (8, f"{EXP}/tokens", "tokens"),
]
QUICK = (3, 4, 8)  # stages that are run again in CI, too


@dataclass(frozen=True)
class Case:
    """What vanishes before a stage, or is read-only; and what is told."""

    stage: int
    what: str
    told: str
    goes_on: bool

    def __str__(self) -> str:
        return f"stage{self.stage}-{self.what}"


def pytest_generate_tests(metafunc) -> None:
    if "case" in metafunc.fixturenames:
        long = metafunc.config.getoption("--long")
        gone = [Case(*of, goes_on=long or of[0] in QUICK) for of in GONE]
        locked = [Case(s, "read-only", "", goes_on=long or s in QUICK) for s in STAGES]
        cases = locked if "read_only" in metafunc.function.__name__ else gone
        metafunc.parametrize("case", cases, ids=str)


@pytest.fixture
def pipeline(case, reference, tmp_path):
    """Before the stage."""
    return reference.before(case.stage, tmp_path / "run")


def test_gone(case, pipeline, reference, tmp_path):
    path = pipeline.folder / case.what
    if path.suffix == ".ark":  # which copies share
        reference.seconds(8)
        path = reference.after(1) / case.what
    path.rename(tmp_path / "gone")
    try:
        told = pipeline.refused(case.stage)
    finally:
        (tmp_path / "gone").rename(path)
    _one_line(told, case.told)
    _goes_on(case, pipeline, reference)


def test_read_only(case, reference, tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        pipeline = reference.before(case.stage, disk / "run")
        with read_only(disk):
            told = pipeline.refused(case.stage)
        _one_line(told, "Read-only file system")
        _goes_on(case, pipeline, reference)


def _one_line(told: str, expected: str) -> None:
    assert "Traceback" not in told
    (line,) = [line for line in told.splitlines() if line.startswith("error: ")]
    assert expected in line


def _goes_on(case: Case, pipeline: Pipeline, reference: Reference) -> None:
    assert not broken(pipeline.folder)
    if case.goes_on:
        pipeline.run(case.stage)
        assert not differences(pipeline.folder, reference.after(case.stage))


@pytest.mark.parametrize("workers", [0, 2])
def test_audio_that_goes_during_a_training(tmp_path, workers):
    data, log = tmp_path / "data", tmp_path / "log"
    write(data)
    archive, options = data / "train" / "wav.ark", {"max_epoch": 3, "num_workers": workers}
    small_training.finish(arguments(data, tmp_path / "undisturbed", **options), log)
    disturbed = arguments(data, tmp_path / "exp", **options)
    training = small_training.start(disturbed, log)
    wait_for_file(tmp_path, "exp/1epoch.pth", training.is_alive)
    archive.rename(tmp_path / "gone")
    training.join()
    assert training.exitcode == 1
    _one_line(log.read_text(), f"No such file or directory: '{archive}'): bring the file back")
    (tmp_path / "gone").rename(archive)
    small_training.finish(disturbed, log)
    assert differences(tmp_path / "exp", tmp_path / "undisturbed") == ["differs: config.yaml"]


def test_audio_that_goes_while_it_is_read_is_read_when_it_is_back(tmp_path, monkeypatch):
    """It must not stay left out because nothing seems to have changed."""
    utterances = []
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", np.ones(800) / 2, 16000)
        utterances.append(Utterance(name, str(tmp_path / f"{name}.wav"), "train"))
    read = dumping.read_audio

    def vanishing(path, *options):
        if path.endswith("b.wav"):
            (tmp_path / "b.wav").rename(tmp_path / "gone")
        return read(path, *options)

    monkeypatch.setattr(dumping, "read_audio", vanishing)
    archive = tmp_path / "dump" / "wav.1.ark"
    first = dumping._write_shard(utterances, archive)
    assert (list(first.places), list(first.unreadable), first.changed) == (["a"], ["b"], ["b"])
    (tmp_path / "gone").rename(tmp_path / "b.wav")
    monkeypatch.undo()
    second = dumping._write_shard(utterances, archive)
    assert (list(second.places), second.unreadable, second.changed) == (["a", "b"], {}, [])
