"""Bad labels and tables: an error with file and line, or a counted warning; nothing is dropped."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import subprocess
import sys
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bad_answers
import bad_labels
import bad_manifests
import bad_training_data
import numpy as np
import pytest
import soundfile
from bad_data_dirs import DATA_DIRS, READ_BY_SUMMARY
from bad_manifests import MANIFESTS
from bad_tables import Bad
from experiment_folders import Experiment as Scored
from matplotlib.figure import Figure

from sermtl.bin import prepare, stats
from sermtl.cli import compare, score
from sermtl.corpora import load_corpus
from sermtl.data import dump
from sermtl.data.labels import load_labels
from sermtl.data.summary import summarise
from sermtl.data.utterance import Utterance
from sermtl.errors import UserError
from sermtl.training.conf import resolve
from sermtl.training.experiment import Experiment


def stage1(folder: Path) -> None:
    """As run.sh calls it for the recipe custom."""
    arguments = ["--recipe", "custom", "--nj", "1", "--train_set", "train"]
    arguments += ["--datadir", str(folder / "data"), "--dumpdir", str(folder / "dump")]
    if (folder / "labels.yaml").exists():
        arguments += ["--labels", str(folder / "labels.yaml")]
    options = [f"manifest={folder / bad_manifests.FILE}"]
    options += [f"label_map={file}" for file in folder.glob("map.*")]
    prepare.main([*arguments, "--corpus_args", *options])


def stage4(folder: Path) -> None:
    """As run.sh calls it."""
    arguments = [f"--{name}dir={folder / name}" for name in ("dump", "data", "stats")]
    if (folder / "labels.yaml").exists():
        arguments += ["--labels", str(folder / "labels.yaml")]
    sets = ["--train_set", "train", "--valid_set", "valid", "--test_sets", "test"]
    stats.main([*arguments, *sets])


def content(folder: Path) -> dict[str, str]:
    """What stages 1 and 4 leave of labels, wherever the folder lies."""
    files = [*folder.glob("data/*/*"), *folder.glob("stats/**/*")]
    return {
        str(file.relative_to(folder)): file.read_text().replace(str(folder), "")
        for file in files
        if file.is_file() and file.name not in ("done.json", "split.csv", ".lock")
    }


def accounted(folder: Path) -> int:
    """Utterances that stage 1 wrote or named as unreadable."""
    files = [*folder.glob("dump/*/utt2emo"), *folder.glob("dump/*/unreadable.txt")]
    return sum(len(file.read_text().splitlines()) for file in files)


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    """A corpus that is as it should be, and what stages 1 and 4 make of it."""
    folder = tmp_path_factory.mktemp("good")
    for k, name in enumerate(bad_manifests.CLIPS):
        soundfile.write(folder / name, 0.1 * np.sin(0.05 * (k + 1) * np.arange(4000)), 16_000)
    bad_manifests.make(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dump, "ProcessPoolExecutor", lambda n, *_: ThreadPoolExecutor(n))
        stage1(folder)
        stage4(folder)
    return folder


@pytest.fixture
def corpus(good, tmp_path, monkeypatch) -> Path:
    """The good corpus's clips and manifest, to be damaged."""
    # Processes take a second to start.
    monkeypatch.setattr(dump, "ProcessPoolExecutor", lambda n, *_: ThreadPoolExecutor(n))
    for file in good.glob("*.*"):
        shutil.copy(file, tmp_path)
    return tmp_path


@pytest.fixture
def prepared(good, tmp_path) -> Path:
    """What stage 1 made of the good corpus, to be damaged."""
    for name in ("data", "dump"):
        shutil.copytree(good / name, tmp_path / name)
    return tmp_path


def expect(bad: Bad, work, capsys) -> None:
    """Do the work, which must end as the case says."""
    if bad.refused:
        with pytest.raises(UserError, match=bad.told) as error:
            work()
        assert "\n" not in str(error.value) and len(str(error.value)) < 1000
        return
    work()
    printed = capsys.readouterr()
    assert re.search(bad.told, printed.out + printed.err)


@pytest.mark.parametrize("bad", MANIFESTS, ids=lambda bad: bad.name)
def test_manifests(bad: Bad, good, corpus, capsys) -> None:
    bad.damage(corpus)

    def work() -> None:
        stage1(corpus)
        stage4(corpus)

    expect(bad, work, capsys)
    if not bad.refused:
        assert accounted(corpus) == (bad.utterances or len(bad_manifests.CLIPS))
        if not bad.told:
            assert content(corpus) == content(good)


@pytest.mark.parametrize("bad", DATA_DIRS, ids=lambda bad: bad.name)
def test_data_dirs(bad: Bad, good, prepared, capsys) -> None:
    bad.damage(prepared)
    expect(bad, lambda: stage4(prepared), capsys)
    if not bad.refused:
        columns = [
            (prepared / "stats" / part / "utt2emo").read_text() for part in ("train", "valid")
        ]
        assert [len(column.splitlines()) for column in columns] == [6, 2]
        if not bad.told:
            assert content(prepared / "stats") == content(good / "stats")


@pytest.mark.parametrize("bad", READ_BY_SUMMARY, ids=lambda bad: bad.name)
def test_data_dirs_that_are_looked_at(bad: Bad, prepared, capsys) -> None:
    bad.damage(prepared)
    expect(bad, lambda: summarise(prepared / "dump"), capsys)


@pytest.mark.parametrize("bad", bad_labels.INVENTORIES + bad_labels.MAPS, ids=lambda bad: bad.name)
def test_labels(bad: Bad, good, corpus, capsys) -> None:
    (corpus / bad_labels.LABELS).write_text(bad_labels.YAML)
    bad.damage(corpus)

    def work() -> None:
        stage1(corpus)
        stage4(corpus)

    expect(bad, work, capsys)
    if not bad.refused:
        assert accounted(corpus) == len(bad_manifests.CLIPS)
        if not bad.told:
            same = content(corpus), content(good)
            for of in same:
                del of["stats/labels.json"]  # names are the inventory's
            assert same[0] == same[1]


@pytest.mark.parametrize("bad", bad_labels.MSP, ids=lambda bad: bad.name)
def test_msp_podcast(bad: Bad, root, tmp_path, capsys) -> None:
    labels = load_labels(root / "egs" / "msp_podcast" / "labels.yaml")
    bad_labels.make_msp(tmp_path)

    def read() -> list[Utterance]:
        found = load_corpus("msp_podcast", labels, tmp_path, {"msp_podcast_root": str(tmp_path)})
        print("\n".join(found.notes))
        return found.utterances

    before = read()
    capsys.readouterr()
    bad.damage(tmp_path)
    expect(bad, read, capsys)
    if not bad.refused:
        assert len(read()) == len(before)
        assert bad.told or read() == before


def score_pair(folder: Path) -> str:
    """What ``sermtl score`` prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        files = (folder / bad_answers.REF, folder / bad_answers.HYP)
        score.run(Namespace(reference=files[0], hypothesis=files[1], json=False))
    print(printed.getvalue())
    return printed.getvalue()


@pytest.mark.parametrize("bad", bad_answers.PAIRS, ids=lambda bad: bad.name)
def test_pairs_of_tables(bad: Bad, tmp_path, capsys) -> None:
    bad_answers.make_pair(tmp_path)
    before = score_pair(tmp_path)
    capsys.readouterr()
    bad.damage(tmp_path)
    expect(bad, lambda: score_pair(tmp_path), capsys)
    assert bad.told or score_pair(tmp_path) == before


@pytest.fixture
def experiment(tmp_path, monkeypatch) -> Scored:
    """Answered, not scored; its pictures stay empty, as drawing takes most of the time."""
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: None)
    experiment = Scored(tmp_path)
    for name in ("train", "test"):
        experiment.add_set(name)
    experiment.add_predictions(experiment.exp, "test")
    return experiment


@pytest.mark.parametrize(
    "bad", bad_answers.PREDICTIONS + bad_answers.EXTRA, ids=lambda bad: bad.name
)
def test_answers_of_a_model(bad: Bad, experiment, tmp_path, capsys) -> None:
    options = {"test_sets": "test", "train_set": "train"}
    before = None if bad.told else experiment.score(**options)
    bad.damage(tmp_path)
    if (tmp_path / "extra.csv").exists():
        options["extra_labels"] = str(tmp_path / "extra.csv")
    capsys.readouterr()
    expect(bad, lambda: experiment.score(**options), capsys)
    assert bad.told or experiment.score(**options) == before


@pytest.mark.parametrize("bad", bad_training_data.TRAINING, ids=lambda bad: bad.name)
def test_before_training(bad: Bad, prepared, capsys) -> None:
    stage4(prepared)
    bad_training_data.make(prepared)

    def begin(name: str) -> dict[str, str]:
        conf = resolve([prepared / bad_training_data.CONF])
        dumps = {part: [prepared / "dump" / part] for part in ("train", "valid")}
        places = (prepared / "stats", prepared / "tokens")
        Experiment(prepared / name, conf, *places, dumps).prepare()
        files = [prepared / name / "conf.yaml", prepared / name / "tokens" / "tokens.txt"]
        return {file.name: file.read_text() for file in files}

    before = begin("before")
    bad.damage(prepared)
    expect(bad, lambda: begin("after"), capsys)
    assert bad.refused or begin("after") == before


@pytest.mark.parametrize("bad", bad_answers.RESULTS, ids=lambda bad: bad.name)
def test_results_that_are_compared(bad: Bad, experiment, tmp_path, capsys) -> None:
    experiment.score(test_sets="test", train_set="train")
    other = shutil.copytree(experiment.exp, experiment.exp.with_name("other"))
    bad.damage(tmp_path)
    expect(
        bad, lambda: compare.run(Namespace(experiments=[experiment.exp, other], json=False)), capsys
    )


def test_a_command_says_it_in_one_line(root, tmp_path) -> None:
    bad_answers.make_pair(tmp_path)
    (tmp_path / bad_answers.HYP).write_text("id,emotion\nu00,joy\nu00,sad\n")
    files = [str(tmp_path / name) for name in (bad_answers.REF, bad_answers.HYP)]
    command = [sys.executable, "-m", "sermtl.cli", "score", *files]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {files[1]}:3: u00 appears twice\n"
