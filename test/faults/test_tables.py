"""Bad labels and tables: an error with file and line, or a counted warning; nothing is dropped."""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bad_labels
import bad_manifests
import numpy as np
import pytest
import soundfile
from bad_data_dirs import DATA_DIRS, READ_BY_SUMMARY
from bad_manifests import MANIFESTS
from bad_tables import Bad

from sermtl.bin import prepare, stats
from sermtl.corpora import load_corpus
from sermtl.data import dump
from sermtl.data.labels import load_labels
from sermtl.data.summary import summarise
from sermtl.data.utterance import Utterance
from sermtl.errors import UserError


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
        if file.is_file() and file.name not in ("done.json", "split.csv")
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
