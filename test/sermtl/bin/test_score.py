"""Stage 7 over files on disk: sets, folds, mistakes, and knowing when it is done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sklearn.metrics as sk
from experiment_folders import Experiment
from matplotlib.figure import Figure

from sermtl.data.datadir import read_column, write_column
from sermtl.errors import UserError


@pytest.fixture(autouse=True)
def saved(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Figures, whose files are left empty: drawing them takes most of the time."""
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    return figures


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
    names = ["confusion_test", "class_f1_test", "reliability_test", "task_weights_test"]
    names += ["class_distribution", "learning_curves", "layer_weights"]
    pictures = [f"{name}.{form}" for name in names for form in ("png", "pdf")]
    found = [path.name for path in experiment.exp.iterdir() if path.suffix in (".png", ".pdf")]
    assert sorted(found) == sorted(pictures)
    assert all(f"({name})" in page for name in pictures)
    outputs = json.loads((experiment.exp / "scored.json").read_text())["outputs"]
    assert {str(experiment.exp / name) for name in pictures} < outputs.keys()
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
        experiment.add_predictions(experiment.exp, "test").read_bytes().replace(b",0.7,", b",0.8,")
    )
    experiment.score(test_sets="test")
    assert page.stat().st_mtime_ns != before


def test_pictures_have_the_classes_names_and_all_sets(
    experiment: Experiment, tmp_path: Path, saved: list[Figure]
) -> None:
    experiment.add_set("dev", n=30)
    labels = tmp_path / "labels.yaml"
    labels.write_text("classes: {neutral: calm, happy: joy, sad: grief}")
    options = {"train_set": "train", "valid_set": "dev", "test_sets": "test"}
    experiment.score(labels=str(labels), **options)
    first, data = saved[0].axes[0], saved[8]  # each is saved in two formats
    assert [text.get_text() for text in first.get_xticklabels()] == ["calm", "joy", "grief"]
    counts = [
        sum(label != "<unk>" for label in read_column(experiment.dump / name / "utt2emo").values())
        for name in ("train", "dev", "test")
    ]
    titles = [text.get_text() for text in data.legends[0].get_texts()]
    expected = zip(("training", "validation", "test"), counts, strict=True)
    assert titles == [f"{title} ({n})" for title, n in expected]
    page = experiment.exp / "RESULTS.md"
    before = page.stat().st_mtime_ns
    write_column(experiment.dump / "dev" / "utt2emo", {"dev-000": "sad"})
    experiment.score(labels=str(labels), **options)
    assert page.stat().st_mtime_ns != before  # what is drawn has changed


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


def test_answers_for_a_set_without_labels(experiment: Experiment, capsys) -> None:
    """The challenge's Test3: its file of answers is written, other sets are scored."""
    experiment.add_set("later")
    experiment.add_predictions(experiment.exp, "later")
    unknown = dict.fromkeys((f"later-{i:03}" for i in range(60)), "<unk>")
    write_column(experiment.dump / "later" / "utt2emo", unknown)
    write_column(experiment.data / "later" / "wav.scp", {u: f"/x/{u}.wav" for u in unknown})
    (experiment.dump / "later" / "unreadable.txt").touch()
    results = experiment.score(test_sets="test later", submission_sets="later")
    assert results["test"]["n"] > 0 and results["later"]["n"] == 0
    lines = (experiment.exp / "submission_later.csv").read_text().splitlines()
    assert lines[0] == "FileName,EmoClass" and len(lines) == 61
    for line in lines[1:]:
        file, answer = line.split(",")
        assert experiment.predictions[file.removesuffix(".wav")]["emotion"] == answer
    assert not (experiment.exp / "submission_test.csv").exists()
    (experiment.exp / "submission_later.csv").unlink()
    (experiment.dump / "later" / "unreadable.txt").write_text("later-060 /x/later-060.wav: bad\n")
    experiment.score(test_sets="test later", submission_sets="later")
    assert "no submission_later.csv: 1 clips of later can't be read" in capsys.readouterr().out


def test_another_recipes_test_set(experiment: Experiment, tmp_path: Path) -> None:
    egs = tmp_path / "egs"
    (egs / "them").mkdir(parents=True)
    (egs / "them" / "recipe.conf").write_text("")
    (egs / "them" / "labels.yaml").write_text("classes: {happy: happy, neutral: neutral}")
    dump, experiment.dump = experiment.dump, egs / "them" / "dump"
    experiment.add_set("test")
    n = dict.fromkeys(experiment.references["utt2emo"], "16000")
    write_column(experiment.dump / "test" / "utt2num_samples", n)
    experiment.others["them"], experiment.dump = experiment.dump, dump
    experiment.add_predictions(experiment.exp, "test", recipe="them", seed=3)
    results = experiment.score(test_sets="test", test_recipes="them", recipes_dir=str(egs))
    assert set(results) == {"test", "them_test"}
    assert results["them_test"]["labels"] == ["neutral", "happy"]
    assert "sad" in results["them_test"]["outside"] and "open" in results["them_test"]
    # The same utterances of another corpus, or of other audio, were never answered.
    (egs / "them" / "dump" / "test" / "audio.sha256").write_text("other audio\n")
    with pytest.raises(UserError, match=r"not made from .*them/dump/test: run stage 6"):
        experiment.score(test_sets="test", test_recipes="them", recipes_dir=str(egs))


def test_transcripts_are_compared_in_the_form_that_the_model_learnt(experiment: Experiment) -> None:
    """A model of Whisper's texts writes "i am"; a corpus's "I'm" says the same."""
    texts = dict.fromkeys((f"test-{i:03}" for i in range(60)), "I'm twenty, um, Doctor.")
    write_column(experiment.dump / "test" / "text", texts)
    path = experiment.exp / "inference" / "test" / "predictions.csv"
    rows = experiment.predictions.values()
    experiment.write(path, [row | {"transcript": "i am 20 doctor"} for row in rows])
    plain = experiment.score(test_sets="test", train_set="train")["test"]
    assert plain["wer"]["value"] > 0.5 and plain["wer_form"] == "plain"
    train = experiment.dump / "train"
    for name in ("text.corpus", "text.whisper"):
        (train / name).write_bytes((train / "text").read_bytes())
    (train / "whisper_report.json").write_text(
        '{"text_normalizer": "auto", "languages": {"en": 1}}'
    )
    scores = experiment.score(test_sets="test", train_set="train")["test"]
    assert scores["wer"]["value"] == 0 and scores["wer_form"] == "english"
    assert scores["wer_reference"] == "corpus"
    assert "both in Whisper's English form" in (experiment.exp / "RESULTS.md").read_text()


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
