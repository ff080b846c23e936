"""Stage 7 over files on disk: sets, folds, mistakes, and knowing when it is done."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics as sk

from sermtl.bin.score import main
from sermtl.data.datadir import write_column
from sermtl.errors import UserError

CLASSES = ["neutral", "happy", "sad"]
TASKS = ["speaker", "gender", "asr"]


class Experiment:
    """A scored experiment's folders, filled at random."""

    def __init__(self, folder: Path) -> None:
        self.exp, self.dump, self.data = folder / "exp" / "tag", folder / "dump", folder / "data"
        self.references: dict[str, dict[str, str]] = {}
        self.predictions: dict[str, dict[str, str]] = {}

    def add_set(self, name: str, n: int = 60) -> None:
        rng = np.random.default_rng(sum(map(ord, name)))
        ids = [f"{name}-{i:03}" for i in range(n)]
        columns = {
            "utt2emo": rng.choice([*CLASSES, "<unk>"], n),
            "utt2gender": rng.choice(["female", "male"], n),
            "utt2spk": [f"{name}{i % 12:02}" for i in range(n)],
            "text": rng.choice(["One two.", "three four five", "<unk>"], n),
        }
        for file, values in columns.items():
            column = dict(zip(ids, map(str, values), strict=True))
            for folder in (self.dump, self.data):
                write_column(folder / name / file, column)
            self.references.setdefault(file, {}).update(column)

    def add_predictions(self, folder: Path, name: str) -> Path:
        rng = np.random.default_rng(7)
        rows = []
        ids = [i for i in self.references["utt2emo"] if i.startswith(f"{name}-")]
        for utt_id in ids:
            p, omega = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(3))
            row = {"id": utt_id, "emotion": CLASSES[p.argmax()]}
            row |= {f"prob_{c}": f"{x:.6f}" for c, x in zip(CLASSES, p, strict=True)}
            row |= {"gender": rng.choice(["female", "male"]), "gender_score": "0.7"}
            row |= {f"weight_{t}": f"{x:.6f}" for t, x in zip(TASKS, omega, strict=True)}
            row["transcript"] = rng.choice(["one two", "three", ""])
            rows.append({key: str(value) for key, value in row.items()})
        self.predictions |= {row["id"]: row for row in rows}
        path = folder / "inference" / name / "predictions.csv"
        self.write(path, rows)
        embeddings = rng.normal(size=(len(ids), 4)).astype(np.float32)
        np.savez(path.parent / "speaker_embeddings.npz", ids=np.array(ids), embeddings=embeddings)
        history = [{"epoch": 1, "train": {"loss": 2.0}, "valid": {"loss": 2.1, "macro_f1": 0.2}}]
        (folder / "history.json").write_text(json.dumps(history))
        (folder / "layer_weights.json").write_text('{"weights": [0.5, 0.3, 0.2]}')
        (folder / "parameters.json").write_text('{"total": 12345, "encoder": 12000}')
        return path

    @staticmethod
    def write(path: Path, rows: list[dict[str, str]]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", newline="") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    def score(self, **options: str) -> dict:
        arguments = ["--expdir", self.exp, "--dumpdir", self.dump, "--datadir", self.data]
        for name, value in options.items():
            arguments += [f"--{name}", value]
        main([str(argument) for argument in arguments])
        return json.loads((self.exp / "results.json").read_text())


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    """Without folds: sets ``train`` and ``test``."""
    experiment = Experiment(tmp_path)
    for name in ("train", "test"):
        experiment.add_set(name)
    experiment.add_predictions(experiment.exp, "test")
    return experiment


@pytest.fixture
def folded(tmp_path: Path) -> Experiment:
    """Two folds, each tested on its own set."""
    experiment = Experiment(tmp_path)
    folds = {}
    for k, other in (("1", "2"), ("2", "1")):
        experiment.add_set(f"part{k}")
        experiment.add_predictions(experiment.exp / f"fold{k}", f"part{k}")
        folds[k] = {"train": [f"part{other}"], "valid": [f"part{other}"], "test": [f"part{k}"]}
    (experiment.data / "folds.json").write_text(json.dumps(folds))
    return experiment


def labelled(experiment: Experiment) -> tuple[list[str], list[str]]:
    pairs = [
        (experiment.references["utt2emo"][i], row["emotion"])
        for i, row in experiment.predictions.items()
        if experiment.references["utt2emo"][i] != "<unk>"
    ]
    return [r for r, _ in pairs], [h for _, h in pairs]


def test_scores_a_set(experiment: Experiment, capsys: pytest.CaptureFixture) -> None:
    results = experiment.score(test_sets="test", train_set="train")
    assert results.keys() == {"test"}
    scores = results["test"]
    reference, hypothesis = labelled(experiment)
    expected = sk.f1_score(reference, hypothesis, average="macro")
    assert scores["macro_f1"]["value"] == pytest.approx(expected)
    assert scores["n"] == len(reference)
    assert scores["wer_reference"] == "corpus"
    assert "saw every sentence" in scores["absent"]["wer_unseen"]
    page = (experiment.exp / "RESULTS.md").read_text()
    shown = f"{100 * scores['macro_f1']['value']:.1f} [{100 * scores['macro_f1']['low']:.1f}, "
    for text in (
        shown,
        "bootstrap over speakers",
        "12,345",
        "sermtl.bin.score --expdir",
        "| sad |",
    ):
        assert text in page
    pictures = {path.name for path in experiment.exp.glob("*.png")}
    assert pictures == {
        "confusion_test.png",
        "task_weights_test.png",
        "learning_curves.png",
        "layer_weights.png",
    }
    assert all(f"({name})" in page for name in pictures)
    printed = capsys.readouterr().out
    assert shown in printed and f"{experiment.exp}/RESULTS.md" in printed


def test_is_done_until_something_changes(
    experiment: Experiment, capsys: pytest.CaptureFixture
) -> None:
    experiment.score(test_sets="test")
    first = capsys.readouterr().out
    page = experiment.exp / "RESULTS.md"
    before = page.stat().st_mtime_ns
    experiment.score(test_sets="test")
    assert page.stat().st_mtime_ns == before
    assert capsys.readouterr().out == first
    experiment.score(test_sets="test", force="true")
    assert page.stat().st_mtime_ns != before
    before = page.stat().st_mtime_ns
    experiment.add_predictions(experiment.exp, "test").write_bytes(
        experiment.add_predictions(experiment.exp, "test").read_bytes().replace(b"0.7", b"0.8")
    )
    experiment.score(test_sets="test")
    assert page.stat().st_mtime_ns != before


def test_folds_are_pooled(folded: Experiment) -> None:
    results = folded.score(fold="all")
    assert results.keys() == {"test"}
    reference, hypothesis = labelled(folded)
    expected = sk.recall_score(reference, hypothesis, average="macro")
    assert results["test"]["uar"]["value"] == pytest.approx(expected)
    assert results["test"]["folds"].keys() == {"fold1", "fold2"}
    assert "did not train on it" in (folded.exp / "RESULTS.md").read_text()


def test_one_fold_does_not_pass_for_all(folded: Experiment) -> None:
    before = folded.score(fold="all")
    assert folded.score(fold="2") == before
    alone = json.loads((folded.exp / "fold2" / "results.json").read_text())
    assert alone["test"]["n"] == before["test"]["folds"]["fold2"]["n"]


def test_inference_tag_has_results_of_its_own(experiment: Experiment) -> None:
    before = experiment.score(test_sets="test")
    (experiment.exp / "inference").rename(experiment.exp / "inference_slow")
    assert experiment.score(test_sets="test", inference_tag="slow") == before
    assert (experiment.exp / "inference_slow" / "RESULTS.md").exists()


def test_whisper_text_is_said(experiment: Experiment) -> None:
    write_column(experiment.dump / "test" / "text.corpus", {"test-000": "x"})
    assert experiment.score(test_sets="test")["test"]["wer_reference"] == "whisper"


def test_extra_labels_join_by_utterance(experiment: Experiment, tmp_path: Path) -> None:
    extra = tmp_path / "extra.csv"
    answers = experiment.predictions
    rows = [{"id": i, "gender": row["gender"]} for i, row in answers.items()]
    experiment.write(extra, rows)
    scores = experiment.score(test_sets="test", extra_labels=str(extra))["test"]
    assert scores["gender_accuracy"]["value"] == 1
    extra.write_text("id,gender\nelsewhere,female\n")
    with pytest.raises(UserError, match="no label of any tested"):
        experiment.score(test_sets="test", extra_labels=str(extra))


def test_utterances_must_be_the_sets(experiment: Experiment) -> None:
    path = experiment.exp / "inference" / "test" / "predictions.csv"
    rows = list(experiment.predictions.values())
    experiment.write(path, rows[5:])
    with pytest.raises(UserError, match=r"lacks .* \(5\): test-000, test-001, test-002, …"):
        experiment.score(test_sets="test")
    experiment.write(path, [*rows, {**rows[0], "id": "stranger"}])
    with pytest.raises(UserError, match=r"dump.test lacks \(1\): stranger"):
        experiment.score(test_sets="test")
    experiment.write(path, [*rows[1:], {**rows[0], "prob_sad": "much"}])
    with pytest.raises(UserError, match="prob_sad of test-000 is 'much'"):
        experiment.score(test_sets="test")
    genders = experiment.dump / "test" / "utt2gender"
    whole = genders.read_bytes()
    genders.write_bytes(b"".join(whole.splitlines(keepends=True)[:58]))
    with pytest.raises(UserError, match=r"utt2gender and .* differ in 2 .*test-058"):
        experiment.score(test_sets="test")
    genders.write_bytes(whole)
    path.unlink()
    with pytest.raises(UserError, match="run stage 6"):
        experiment.score(test_sets="test")
    assert not (experiment.exp / "results.json").exists()


def test_damaged_embeddings_are_named(experiment: Experiment) -> None:
    path = experiment.exp / "inference" / "test" / "speaker_embeddings.npz"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UserError, match=r"speaker_embeddings\.npz: damaged .* stage 6 again"):
        experiment.score(test_sets="test")


def test_needs_neither_torch_nor_espnet(experiment: Experiment, root: Path) -> None:
    code = (
        "import sys; from sermtl.bin.score import main; main(sys.argv[1:]); "
        "print({'torch', 'espnet2', 'transformers'} & set(sys.modules))"
    )
    arguments = ["--expdir", experiment.exp, "--dumpdir", experiment.dump]
    arguments += ["--datadir", experiment.data, "--test_sets", "test"]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(root), "SERMTL_COMMAND": "./run.sh --recipe mine"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("set()\n")
    assert "./run.sh --recipe mine\n" in (experiment.exp / "RESULTS.md").read_text()
