"""What run.sh says to options, right and wrong."""

import subprocess
import time

import pytest


@pytest.fixture
def run(root, tmp_path):
    def call(*options):
        command = [str(root / "run.sh"), *options]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    return call


def test_help_is_instant_and_lists_every_option(run, root):
    begin = time.monotonic()
    done = run("--help")
    assert time.monotonic() - begin < 2
    assert done.returncode == 0
    for name in ("stage", "stop_stage", "train_config", "ssl_model", "demo_utterances", "nbpe"):
        assert f"\n{name}=" in done.stdout, name
    for recipe in ("demo", "ravdess", "custom"):
        assert recipe in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        ["egs/ravdess/run.sh", "--help"],
        ["run.sh", "--recipe", "ravdess", "--help"],
        ["run.sh", "--recipe=ravdess", "--help"],
    ],
)
def test_help_of_a_recipe_has_its_own_options(root, tmp_path, command):
    command = [str(root / command[0]), *command[1:]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "ravdess_root=" in done.stdout
    assert "demo_utterances=" not in done.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--no_such", "1"], "no_such"),
        (["--recipe", "nothing"], "no recipe 'nothing'"),
        (["--stag", "1"], "--stage"),
        (["train"], "options only"),
        (["--force", "maybe"], "force"),
        (["--stage"], "stage"),
    ],
)
def test_wrong_options_stop_at_once(run, options, message):
    done = run(*options)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Stage" not in done.stdout


def test_a_missing_corpus_root_says_what_to_give(root, tmp_path):
    command = [str(root / "egs" / "ravdess" / "run.sh"), "--datadir", "d", "--dumpdir", "u"]
    done = subprocess.run([*command, "--expdir", "e"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "--ravdess_root" in done.stderr
