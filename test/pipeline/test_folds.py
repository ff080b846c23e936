"""A recipe with folds, a frozen pretrained encoder, cached states and speed-perturbed copies."""

import csv
import json
import re
import subprocess

import numpy as np
import pytest
import soundfile
import yaml
from tiny import WAVLM

ACTORS = range(1, 11)


@pytest.fixture
def ravdess(tmp_path):
    """RAVDESS's layout at 48 kHz with noise for speech: ten actors, a clip of each emotion."""
    root = tmp_path / "RAVDESS speech"
    random = np.random.default_rng(0)
    for actor in ACTORS:
        folder = root / f"Actor_{actor:02d}"
        folder.mkdir(parents=True)
        for emotion in range(1, 9):
            name = f"03-01-{emotion:02d}-01-0{emotion % 2 + 1}-01-{actor:02d}.wav"
            soundfile.write(folder / name, random.normal(0, 0.1, 24000), 48000)
    return root


@pytest.fixture
def encoder(tmp_path):
    from transformers import WavLMConfig, WavLMModel

    folder = tmp_path / "an encoder"
    WavLMModel(
        WavLMConfig(**{k: v for k, v in WAVLM.items() if k != "model_type"})
    ).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": True}))
    return folder


def test_out_of_fold_predictions_are_pooled(root, ravdess, encoder, tmp_path):
    command = [str(root / "egs" / "ravdess" / "run.sh"), "--ravdess_root", "RAVDESS speech"]
    for name in ("data", "dump", "exp"):
        command += [f"--{name}dir", str(tmp_path / name)]
    command += ["--ssl_model", "an encoder", "--speed_perturb_factors", "1.1"]
    command += ["--train_config", str(root / "egs/ravdess/conf/small_encoder.yaml")]
    command += ["--train_args", "--max_epoch 1 --model_conf hidden_size=8"]
    command += ["--train_tag", "folds", "--ngpu", "0"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "192 are published" in done.stdout  # the counts differ, and it says so

    exp = tmp_path / "exp" / "folds"
    scores = json.loads((exp / "results.json").read_text())["test"]
    assert scores["n"] == 8 * len(ACTORS)
    assert set(scores["folds"]) == {f"fold{k}" for k in range(1, 6)}
    assert scores["macro_f1"]["unit"] == "speakers"  # ten of them
    for k in range(1, 6):
        with open(exp / f"fold{k}" / "inference" / f"fold{k}" / "predictions.csv") as stream:
            actors = {int(row["id"][-2:]) for row in csv.DictReader(stream)}
        assert actors == {a for a in ACTORS if (a - 1) % 5 == k - 1}
        labels = yaml.safe_load((exp / f"fold{k}" / "config.yaml").read_text())["labels"]
        copies = {s for s in labels["speakers"] if s.startswith("sp1.1-")}
        assert len(copies) == len(labels["speakers"]) / 2 == 6
        assert not {int(s[-2:]) for s in labels["speakers"]} & actors
    # Computed once for all folds, copies included.
    assert len(list((tmp_path / "dump").glob("*/hidden_states.*/states.1.ark"))) == 10

    floor = subprocess.run(
        [
            *("python", str(root / "tools" / "benchmark" / "frozen_floor.py")),
            *("--recipe_dir", str(tmp_path), "--ssl_model", str(encoder), "--experiment", str(exp)),
        ],
        capture_output=True,
        text=True,
    )
    assert floor.returncode == 0, floor.stderr[-2000:]
    figures = dict(re.findall(r"^(.*): UAR (\d\.\d{3}) \[", floor.stdout, re.MULTILINE))
    assert figures.keys() == {"floor", str(exp)}
    assert float(figures[str(exp)]) == pytest.approx(scores["uar"]["value"], abs=0.00051)
    assert "paired bootstrap over speakers" in floor.stdout

    cross_domain(root, command, tmp_path)
    scores = json.loads((exp / "results.json").read_text())
    assert list(scores) == ["test", "custom_test"]
    assert scores["test"]["n"] == 8 * len(ACTORS)  # as before
    other = scores["custom_test"]
    # Ten clips answered by each fold's model; joy goes by another name, so it isn't scored.
    assert (other["n"], other["models"], other["outside"]) == (7, 5, {"joy": 3})
    assert other["labels"] == ["sad", "angry"]  # of RAVDESS's eight, in its order
    assert sum(map(sum, other["confusion"])) == 7 * 5
    assert set(other["folds"]) == set(scores["test"]["folds"]) and "open" in other
    assert other["gender_n"] == 10


def cross_domain(root, command, tmp_path):
    """Test all folds' models on a corpus of one's own, prepared in a folder of its own."""
    rows = ["path,emotion,gender"]
    for i in range(10):
        soundfile.write(tmp_path / f"clip{i}.wav", np.full(8000, i / 20), 16000)
        rows.append(f"clip{i}.wav,{('anger', 'sadness', 'joy')[i * 3 // 10]},female")
    rows = [row + (",split" if row.startswith("path") else ",test") for row in rows]
    (tmp_path / "other.csv").write_text("\n".join(rows) + "\n")
    prepare = [str(root / "egs" / "custom" / "run.sh"), "--manifest", "other.csv"]
    prepare += ["--datadir", "other/data", "--dumpdir", "other/dump", "--stop_stage", "1"]
    test = [*command, "--stage", "6", "--test_recipes", "custom=other"]
    for one in (prepare, test):
        done = subprocess.run(one, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
