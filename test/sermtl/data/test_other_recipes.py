"""--test_recipes: what is found of other recipes, and what is told of those that aren't ready."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from sermtl.data.datadir import write_column
from sermtl.data.other_recipes import _declared, find_recipes
from sermtl.errors import UserError


def dumped(folder: Path, name: str, emotions: dict[str, str]) -> None:
    write_column(folder / "dump" / name / "utt2emo", emotions)
    write_column(folder / "dump" / name / "utt2num_samples", dict.fromkeys(emotions, "16000"))


@pytest.fixture
def egs(tmp_path: Path) -> Path:
    """Recipes: `plain` with two test sets, of which one is there; `folded`; `bare`, unlabelled."""
    confs = {
        "plain": 'plain_root=   # "folder" of it\ntest_sets="val later" # two sets\n',
        "folded": "fold=all\n",
        "bare": "manifest=\n",
        "raw": "",
    }
    for name, conf in confs.items():
        (tmp_path / "egs" / name).mkdir(parents=True)
        (tmp_path / "egs" / name / "recipe.conf").write_text(conf)
    egs = tmp_path / "egs"
    (egs / "plain" / "labels.yaml").write_text("classes: {A: anger, N: neutral}\n")
    dumped(egs / "plain", "val", {"u1": "A"})
    for k in ("1", "2"):
        dumped(egs / "folded", f"part{k}", {f"u{k}": "sad"})
    folds = {"1": {"test": ["part1"]}, "2": {"test": ["part2"]}}
    (egs / "folded" / "data").mkdir()
    (egs / "folded" / "data" / "folds.json").write_text(json.dumps(folds))
    dumped(egs / "bare", "test", {"u1": "joy", "u2": "<unk>", "u3": "anger"})
    return egs


def test_sets_and_labels(egs: Path):
    plain, folded, bare = find_recipes("plain folded bare", egs)
    assert plain.sets == {"plain_val": ["val"]}  # the other one isn't in this release
    assert plain.inventory.classes == {"A": "anger", "N": "neutral"}
    assert folded.sets == {"folded_test": ["part1", "part2"]}  # all of the corpus, as one set
    assert bare.sets == {"bare_test": ["test"]}
    assert bare.inventory.classes == {"anger": "anger", "joy": "joy"}
    assert bare.dumpdir == egs / "bare" / "dump"
    assert find_recipes("", egs) == []


def test_a_folder_elsewhere(egs: Path, tmp_path: Path):
    dumped(tmp_path / "scratch", "test", {"v1": "calm"})
    (recipe,) = find_recipes(f"bare={tmp_path / 'scratch'}", egs)
    assert recipe.dumpdir == tmp_path / "scratch" / "dump"
    assert list(recipe.inventory.classes) == ["calm"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("nosuch", r"no recipe 'nosuch'; there are bare, folded, plain, raw"),
        ("raw", r"raw/dump has no set test, but nothing: run egs/raw/run.sh --stop_stage 1"),
        ("bare=elsewhere", r"elsewhere/dump has no set test, but nothing: .*bare=FOLDER"),
        ("plain plain", "plain twice"),
        ("plain/", r"no recipe 'plain/'"),
        ("../egs/plain", r"no recipe '\.\./egs/plain'"),
    ],
)
def test_what_is_wrong_is_told(egs: Path, names: str, message: str):
    with pytest.raises(UserError, match=message):
        find_recipes(names, egs)


def test_what_is_there_instead_is_told(egs: Path):
    dumped(egs / "raw", "train", {"u1": "joy"})
    dumped(egs / "raw", "dev", {"u1": "joy"})
    with pytest.raises(UserError, match=r"has no set test, but dev, train: run egs/raw/run.sh"):
        find_recipes("raw", egs)
    (egs / "folded" / "data" / "folds.json").write_text("{")
    with pytest.raises(UserError, match=r"folds\.json:1: no JSON .*: run stage 1 of folded again"):
        find_recipes("folded", egs)


def test_a_value_may_hold_equals_signs(tmp_path: Path):
    (tmp_path / "recipe.conf").write_text('options="--a=1 --b=2"\n')
    assert _declared(tmp_path / "recipe.conf") == {"options": "--a=1 --b=2"}


def test_every_recipes_conf_is_read_as_the_shell_reads_it(root: Path):
    for conf in root.glob("egs/*/recipe.conf"):
        declared = _declared(conf)
        shown = "".join(f'echo "${name}"; ' for name in declared)
        shell = subprocess.run(["bash", "-c", f". {conf}; {shown}"], capture_output=True, text=True)
        assert shell.stdout.splitlines() == list(declared.values())
