"""All stages on a very small corpus, to be disturbed and then run again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
EXP = "exp/tiny"
STAGES = {
    1: "prepare",
    2: "transcribe",
    3: "tokenize",
    4: "stats",
    5: "train",
    6: "infer",
    7: "score",
    8: "pack",
}
CONF = {
    "frontend_conf": {"model": {"num_hidden_layers": 1}},
    "max_epoch": 3,
    "keep_nbest_models": [1],  # so that outlived weights go
    "use_tensorboard": False,
}
MARK = "SERMTL_TEST_CASE"


class Pipeline:
    """One folder with ``data``, ``dump`` and ``exp``, which may be copied from another's.

    Commands are run.sh's, but for paths, which are relative: so the work doesn't depend on where
    the folder is.

    Args:
        folder: becomes the working folder of all commands.
        whisper: a checkpoint.
    """

    def __init__(self, folder: Path, whisper: Path) -> None:
        self.folder, self.whisper = folder, whisper
        self.mark = f"{MARK}={uuid.uuid4()}"

    def command(self, stage: int, *options: str) -> list[str]:
        """Of a stage, as run.sh gives it."""
        demo, cmd = ROOT / "egs" / "demo", str(ROOT / "utils" / "run.pl")
        data, dump = ("--datadir", "data"), ("--dumpdir", "dump")
        train, valid, test = (
            ("--train_set", "train"),
            ("--valid_set", "valid"),
            ("--test_sets", "test"),
        )
        recipes = ("--recipes_dir", str(ROOT / "egs"))
        labels = ("--labels", str(demo / "labels.yaml"))
        exp, stats = ("--expdir", EXP), ("--statsdir", "exp/stats")
        tokens = ("--tokensdir", "dump/tokens/bpe")
        configs = [ROOT / "conf" / "train.yaml", demo / "conf" / "train.yaml", "tiny.yaml"]
        arguments = {
            1: [
                *("--recipe", "demo", *labels, *data, *dump, "--nj", "2", *train),
                *("--corpus_args", "demo_utterances=100", "demo_seed=0"),
            ],
            2: [
                *(*dump, *data, *train, *valid, *test, "--nj", "2", "--cmd", cmd),
                *("--whisper_model", str(self.whisper), "--whisper_args=--temperatures=0"),
            ],
            3: [*dump, *data, *tokens, *train, "--nbpe", "100"],
            4: [*dump, *data, *stats, *labels, *train, *valid],
            5: [
                *(*exp, *stats, *tokens, *data, *dump, *train, *valid, "--cmd", cmd),
                *("--configs", *map(str, configs)),
            ],
            6: [
                *(*exp, *dump, *data, *test, "--inference_nj", "2", "--cmd", cmd),
                *("--inference_config", str(ROOT / "conf" / "infer.yaml")),
                "--inference_args=--batch_seconds 20",
            ],
            7: [*exp, *dump, *data, *test, *recipes, *labels, *train, *valid],
            8: [*exp, "--name", "demo_tiny", "--about", str(demo / "README.md")],
        }[stage]
        return [sys.executable, "-m", f"sermtl.bin.{STAGES[stage]}", *arguments, *options]

    def start(self, stage: int, *options: str) -> subprocess.Popen:
        """The stage as a process of its own; it and all that it starts bear our mark."""
        name, _, value = self.mark.partition("=")
        paths = {"PATH": f"{ROOT / 'utils'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            self.command(stage, *options),
            cwd=self.folder,
            env={**os.environ, **paths, name: value, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, stage: int, *options: str) -> str:
        """The whole stage; what it printed."""
        with self.start(stage, *options) as process:
            output, _ = process.communicate()
        assert process.returncode == 0, output
        return output

    def refused(self, stage: int, *options: str) -> str:
        """What a stage says that fails."""
        with self.start(stage, *options) as process:
            output, _ = process.communicate()
        assert process.returncode != 0, output
        return output

    def living(self) -> list[int]:
        """Processes that the stages started, however far from them."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    marked = self.mark.encode() in (entry / "environ").read_bytes()
                except OSError:  # it has gone, or is another user's
                    continue
                if marked:
                    found.append(int(entry.name))
        return found

    def kill_all(self) -> None:
        """Without a warning, until none is left."""
        while living := self.living():
            for process in living:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.02)

    def copy_to(self, folder: Path) -> Pipeline:
        """The same state elsewhere."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Pipeline(folder, self.whisper)


class Reference:
    """All stages in peace, and the states between them, as soon as they are there.

    Args:
        folder: gets a copy of the state before each stage.
        whisper: a checkpoint.
    """

    def __init__(self, folder: Path, whisper: Path) -> None:
        self._states = {stage: Pipeline(folder / str(stage), whisper) for stage in (*STAGES, 9)}
        self._states[1].folder.mkdir(parents=True)
        (self._states[1].folder / "tiny.yaml").write_text(yaml.safe_dump(CONF))
        self._seconds: dict[int, Future[float]] = {stage: Future() for stage in STAGES}
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        for stage in STAGES:
            try:
                after = self._states[stage].copy_to(self._states[stage + 1].folder)
                begin = time.monotonic()
                after.run(stage)
            except BaseException as error:
                for later in range(stage, len(STAGES) + 1):
                    self._seconds[later].set_exception(error)
                return
            self._seconds[stage].set_result(time.monotonic() - begin)

    def seconds(self, stage: int) -> float:
        """How long a stage took."""
        return self._seconds[stage].result()

    def before(self, stage: int, folder: Path) -> Pipeline:
        """A copy of what the stages before this one leave."""
        if stage > 1:
            self.seconds(stage - 1)
        return self._states[stage].copy_to(folder)

    def after(self, stage: int) -> Path:
        """What a stage leaves."""
        self.seconds(stage)
        return self._states[stage + 1].folder


def wait_for_file(folder: Path, pattern: str, is_running: Callable[[], bool]) -> None:
    """Until it is there, or else was never seen."""
    while not any(folder.glob(pattern)):
        assert is_running(), f"{pattern} wasn't seen"
        time.sleep(0.0005)
