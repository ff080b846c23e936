"""What run.sh says to options, right and wrong."""

import os
import signal
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
        (["--stage", "five"], "--stage takes a whole number"),
        (["--nj", "0"], "--nj takes a whole number from 1 on"),
        (["--stage", "9"], "stages are 1 to 8"),
        (["--stage", "5", "--stop_stage", "3"], "stages are 1 to 8"),
        (["--ROOT", "/nowhere"], "ROOT"),
        (["--i", "3"], "unknown option --i"),
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


def test_cdpath_changes_nothing(root, tmp_path):
    (tmp_path / "here").symlink_to(root)
    done = subprocess.run(
        ["here/egs/custom/run.sh", "--help"],
        cwd=tmp_path,
        env={**os.environ, "CDPATH": f".:{tmp_path}"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopping_the_script_stops_the_stage(root, tmp_path, number):
    command = [str(root / "run.sh"), "--demo_utterances", "5000", "--stop_stage", "1"]
    for name in ("data", "dump", "exp"):
        command += [f"--{name}dir", name]
    process = subprocess.Popen(command, cwd=tmp_path, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("*.wav")) and time.monotonic() < deadline:
        time.sleep(0.1)
    if number == signal.SIGINT:  # a terminal's Ctrl-C goes to all
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    assert process.wait(60) == 128 + number
    deadline = time.monotonic() + 20
    while (left := _group(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left


def _group(leader):
    """Command lines of a process group."""
    done = subprocess.run(["ps", "-ww", "-eo", "pgid,stat,args"], capture_output=True, text=True)
    rows = [line.split(None, 2) for line in done.stdout.splitlines()[1:]]
    return [args for group, state, args in rows if int(group) == leader and state[0] != "Z"]
