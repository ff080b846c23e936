"""All stages on a very small demo corpus, as a user runs them."""

import json
import subprocess
import time

import pytest

TINY = [
    *("--demo_utterances", "100", "--nj", "2", "--ngpu", "0"),
    *("--train_args", "--max_epoch 2 --frontend_conf model.num_hidden_layers=1"),
    *("--train_tag", "tiny"),
]


@pytest.fixture(scope="module")
def run(root, tmp_path_factory):
    """Calls run.sh with the folders of this module's own experiment, from another folder."""
    folder = tmp_path_factory.mktemp("pipe line")

    def call(*options, check=True):
        command = [str(root / "run.sh"), *TINY]
        for name in ("data", "dump", "exp"):
            command += [f"--{name}dir", str(folder / name)]
        done = subprocess.run(
            [*command, *options],
            cwd=folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        if check:
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done

    call.folder = folder
    return call


@pytest.fixture(scope="module")
def trained(run):
    """Stages 1 to 5."""
    return run("--stage", "1", "--stop_stage", "5")


@pytest.fixture(scope="module")
def scored(run, trained):
    """Stages 6 and 7, from what stage 5 left."""
    return run("--stage", "6")


def test_stages_announce_themselves(trained, scored):
    for number in range(1, 6):
        assert f"Stage {number}:" in trained.stdout
    assert "Stage 6:" not in trained.stdout
    assert "Stage 5:" not in scored.stdout and "Stage 7:" in scored.stdout
    assert "epoch 2/2" in trained.stdout
    assert "RESULTS.md" in scored.stdout


def test_leaves_scores_of_every_task(run, scored):
    exp = run.folder / "exp" / "tiny"
    scores = json.loads((exp / "results.json").read_text())["test"]
    assert scores["n"] == 16
    for name in ("macro_f1", "micro_f1", "accuracy", "uar", "wer", "gender_accuracy"):
        assert 0 <= scores[name]["low"] <= scores[name]["value"] <= scores[name]["high"]
    assert scores["micro_f1"]["value"] == pytest.approx(scores["accuracy"]["value"])
    assert len(scores["labels"]) == len(scores["confusion"]) == 8
    assert (exp / "RESULTS.md").read_text().startswith("#")
    figures = ["confusion", "class_f1", "reliability", "task_weights"]
    figures = [f"{name}_test" for name in figures]
    for figure in [*figures, "class_distribution", "learning_curves", "layer_weights"]:
        assert (exp / f"{figure}.png").exists() and (exp / f"{figure}.pdf").exists(), figure
    history = json.loads((exp / "history.json").read_text())
    assert [epoch["epoch"] for epoch in history] == [1, 2]


def test_shards_change_nothing(run, scored):
    tables = []
    for jobs in ("1", "3"):
        run("--stage", "6", "--stop_stage", "6", "--inference_nj", jobs, "--inference_tag", jobs)
        folder = run.folder / "exp" / "tiny" / f"inference_{jobs}" / "test"
        tables.append((folder / "predictions.csv").read_text())
    assert tables[0] == tables[1]


def test_a_second_run_does_nothing(run, scored):
    def stamps():
        files = [p for p in run.folder.rglob("*") if p.is_file() and not p.name.endswith(".lock")]
        return {path: path.stat().st_mtime_ns for path in files}

    run()  # the fixtures' own commands may have had other options
    before = stamps()
    begin = time.monotonic()
    again = run()
    assert time.monotonic() - begin < 60  # imports, on a busy machine
    assert "already trained" in again.stdout
    assert stamps() == before


def test_another_conf_is_refused_with_a_diff(run, trained):
    changed = run("--stage", "5", "--train_args", "--max_epoch 3", check=False)
    assert changed.returncode == 1
    assert "+max_epoch: 3" in changed.stderr and "-max_epoch: 2" in changed.stderr
    assert "--train_tag" in changed.stderr


def test_packed_model_says_the_same(run, scored):
    from sermtl import EmotionRecognizer

    run("--stage", "8", "--stop_stage", "8")
    exp = run.folder / "exp" / "tiny"
    (archive,) = exp.glob("*.zip")
    clips = sorted((run.folder / "data" / "audio").rglob("*.wav"))[:3]
    trained, packed = (EmotionRecognizer.from_pretrained(source) for source in (exp, archive))
    for one, other in zip(trained.stream(clips), packed.stream(clips), strict=True):
        assert one.scores == other.scores
        assert one.transcript == other.transcript


def test_whisper_stage_is_off_and_says_so(trained):
    assert "Whisper is off" in trained.stdout
