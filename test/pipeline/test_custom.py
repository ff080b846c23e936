"""A corpus of one's own: columns that are missing, labels that are unknown, no split."""

import csv
import json
import subprocess

import numpy as np
import pytest
import soundfile


@pytest.fixture
def manifest(tmp_path):
    """Emotions known for most clips, speakers for all, no gender and no text; noise for speech."""
    folder = tmp_path / "my clips"
    folder.mkdir()
    random = np.random.default_rng(0)
    with open(folder / "table.csv", "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "emotion", "speaker"])
        for i in range(40):
            soundfile.write(folder / f"{i}.wav", random.normal(0, 0.1, 6000 + 50 * i), 8000)
            emotion = "" if i % 7 == 3 else ("calm", "Very Angry")[i % 2]
            writer.writerow([f"{i}.wav", emotion, f"speaker {i % 5}"])
    return folder / "table.csv"


def test_tasks_without_labels_switch_off(root, manifest, tmp_path):
    command = [str(root / "egs" / "custom" / "run.sh"), "--manifest", "my clips/table.csv"]
    for name in ("data", "dump", "exp"):
        command += [f"--{name}dir", str(tmp_path / name)]
    command += ["--train_config", str(root / "egs" / "demo" / "conf" / "train.yaml")]
    command += ["--train_args", "--max_epoch 1", "--train_tag", "mine", "--ngpu", "0"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "gender: no labels, the task is off" in done.stdout
    assert "asr: no labels, the task is off" in done.stdout
    scores = json.loads((tmp_path / "exp" / "mine" / "results.json").read_text())["test"]
    assert scores["labels"] == ["Very Angry", "calm"]
    assert scores["n_unlabelled"] > 0
    assert "wer" not in scores and "gender_accuracy" not in scores
    with open(tmp_path / "exp" / "mine" / "inference" / "test" / "predictions.csv") as stream:
        header = next(csv.reader(stream))
    assert header == [
        *("id", "emotion", "prob_Very Angry", "prob_calm"),
        *("speaker", "speaker_score", "weight_speaker"),
    ]
