"""No name of a file, folder, set or option's value is ever run: the stages work, or refuse it."""

from __future__ import annotations

import csv
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from tiny import WAVLM

ROOT = Path(__file__).resolve().parents[2]
CONF = {
    "frontend_conf": {"model": WAVLM, "freeze": "none"},
    "model_conf": {"hidden_size": 8, "num_heads": 2},
    "max_epoch": 1,
    "keep_nbest_models": [1],
    "use_tensorboard": False,
}
ALL = "a b'\"$(touch pwned)`touch pwned`;touch pwned;é*?[x]~&|#{x}%=!"
NAMES = {
    "substitution": "$(touch pwned)",
    "backticks": "`touch pwned`",
    "command": "; touch pwned",
    "pipe": "| touch pwned |",
    "redirection": "a > pwned",
    "single quote": "' touch pwned '",
    "double quote": '" touch pwned "',
    "backslash": "\\$(touch pwned)\\",
    "glob": "*?[a-z]",
    "braces": "{a..c}",
    "dash": "-rf",
    "option": "--help",
    "variable": "$HOME ${x:-y}",
    "home": "~",
    "comment": "# a",
    "history": "!!",
    "job": "JOB",
    "format": "%s%n",
    "space": " a  b",
    "tab": "a\tb",
    "unicode": "é 💥 ",
    "decomposed": "e\u0301",
    "right to left": "\u202etxt.wav",
    "place": "a:5",
    "equals": "a=b",
    "long": "x" * 200,
}
SHORT = ("dash",)  # in CI, beside `ALL`


def corpus(folder: Path) -> Path:
    """A manifest of 24 noises, two classes of six speakers."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    with open(folder / "m.csv", "w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["path", "emotion", "gender", "speaker", "text", "split"])
        for i in range(24):
            soundfile.write(folder / f"{i} $(touch pwned).wav", random.normal(0, 0.1, 4000), 16_000)
            split = "train" if i < 12 else "valid" if i < 18 else "test"
            row = [f"{i} $(touch pwned).wav", "ab"[i % 2], "mf"[i // 2 % 2], f"s{i % 6}"]
            rows.writerow([*row, "one two three", split])
    return folder / "m.csv"


def run(cwd: Path, *options: str, script: Path = ROOT / "run.sh") -> subprocess.CompletedProcess:
    """run.sh, as a user calls it."""
    done = subprocess.run(
        [str(script), *options],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert not list(cwd.rglob("pwned")) and not (ROOT / "pwned").exists()
    return done


def stages(cwd: Path, name: str, last: int, *options: str) -> subprocess.CompletedProcess:
    """The stages of a corpus in a folder, with all their work in folders, of such a name."""
    manifest = corpus(cwd / name)
    (cwd / "tiny.yaml").write_text(yaml.safe_dump(CONF))
    command = ["--recipe", "custom", "--manifest", str(manifest), "--train_config", "tiny.yaml"]
    command += ["--nj", "1", "--inference_nj", "1", "--ngpu", "0", "--stop_stage", str(last)]
    for kind in ("data", "dump", "exp"):
        command += [f"--{kind}dir", f"{name}/{kind}" if name[0] != "-" else f"./{name}/{kind}"]
    return run(cwd, *command, *options)


def test_all_stages_in_folders_of_an_odd_name(tmp_path):
    done = stages(tmp_path, ALL, 7)
    assert done.returncode == 0, done.stdout
    assert (tmp_path / ALL / "exp" / "tiny" / "results.json").exists()


@pytest.mark.parametrize("name", NAMES)
def test_preparation_in_folders_of_odd_names(name, long_form, tmp_path):
    if not long_form and name not in SHORT:
        pytest.skip("in the long form")
    done = stages(tmp_path, NAMES[name], 4)
    assert done.returncode == 0, done.stdout
    assert (tmp_path / NAMES[name] / "exp" / "stats_train_valid" / "labels.json").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--expdir", "a\nb"], "--expdir can't have a line break"),
        (["--dumpdir", "a\nb"], "--dumpdir can't have a line break"),
        (["--datadir", "a\n"], "--datadir can't have a line break"),
        (["--expdir", "{a,b}"], "can't have a comma"),
        (["--recipe", "../.."], "there is no recipe '../..'"),
        (["--recipe", "../../../{tmp}/evil"], "there is no recipe"),
        (["--recipe=$(touch pwned)"], "there is no recipe"),
        (["--recipe", "demo/../demo"], "there is no recipe"),
        (["--recipe", ""], "there is no recipe"),
        (["--recipe", "-demo"], "there is no recipe"),
    ],
    ids=str,
)
def test_names_that_cannot_work(options, reason, tmp_path):
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "recipe.conf").write_text(f"touch {tmp_path}/pwned\n")
    done = run(tmp_path, *(option.replace("{tmp}", str(tmp_path)) for option in options))
    assert done.returncode == 1 and reason in done.stdout
    assert not list(tmp_path.glob("[!e]*"))


def declared(pattern: str) -> list[str]:
    """Names of run.sh's options whose line there matches."""
    return re.findall(rf"(?m)^([a-z_]+)={pattern}", (ROOT / "run.sh").read_text())


NUMBERS = [*declared(r"\d+ "), "nj", "inference_nj", "ngpu", "dist_timeout"]
TRUTHS = declared("(?:true|false) ")
CODE = ["$(touch pwned)", "a[$(touch pwned)]", "x=1,a[$(touch pwned)]"]
NO_NUMBERS = [*CODE, "-1", "1\n2", "9" * 30]
OTHERS = ["0x10", "1e3", " 1", "1 ", "stage", "٣", "", "0.5", "١"]


@pytest.mark.parametrize("value", NO_NUMBERS)
@pytest.mark.parametrize("option", NUMBERS)
def test_numbers_are_numbers(option, value, tmp_path):
    done = run(tmp_path, f"--{option}", value, "--gpu_inference", "true", "--skip_data_prep")
    assert done.returncode == 1
    assert f"error: --{option} takes a whole number" in done.stdout


@pytest.mark.parametrize("value", OTHERS)
def test_what_else_is_no_number(value, tmp_path):
    assert "error: --nj takes a whole number" in run(tmp_path, f"--nj={value}").stdout


@pytest.mark.parametrize("value", ["touch pwned", "$(touch pwned)", ""])
@pytest.mark.parametrize("option", TRUTHS)
def test_truth_values_are_truth_values(option, value, tmp_path):
    done = run(tmp_path, f"--{option}", value)
    assert done.returncode == 1
    assert f"error: --{option} takes true or false" in done.stdout


def test_all_options_with_such_values_are_known():
    assert {"stage", "stop_stage", "num_nodes", "nbpe"} <= set(NUMBERS)
    assert {"skip_data_prep", "ablations", "gpu_inference", "force"} <= set(TRUTHS)


@pytest.mark.parametrize("tag", ["../../x", "/tmp/x", "..", "$(touch pwned)", "-x", "a b", "a\nb"])
def test_tags_are_names_of_folders(tag, tmp_path):
    for arguments in (
        ["sermtl.bin.tag", f"--tag={tag}"],
        ["sermtl.bin.score", "--expdir", "exp", "--dumpdir", "dump", f"--inference_tag={tag}/x"],
    ):
        command = ["python", "-m", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode and "Traceback" not in done.stderr
        assert list(tmp_path.iterdir()) == []


COUNTS = {
    "prepare": ["--nj", "--max_unreadable"],
    "transcribe": ["--nj", "--ngpu", "--batch_size"],
    "tokenize": ["--nbpe"],
    "train": ["--ngpu", "--num_nodes", "--dist_timeout"],
    "infer": ["--inference_nj", "--ngpu"],
    "infer_shard": ["--shard", "--shards", "--ngpu"],
}


@pytest.mark.parametrize("value", ["-1", "nan", "x", "", "2.5"])
@pytest.mark.parametrize(("stage", "option"), [(s, o) for s in COUNTS for o in COUNTS[s]])
def test_stages_called_directly(stage, option, value, capsys):
    module = __import__(f"sermtl.bin.{stage}", fromlist=["main"])
    with pytest.raises(SystemExit):
        module.main([f"{option}={value}"])
    assert f"argument {option}: " in capsys.readouterr().err
