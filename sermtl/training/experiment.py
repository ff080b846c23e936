"""One training run: its folder, what it was made from, and ESPnet's launcher."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sermtl import jobs
from sermtl.data.state_cache import INDEX, cache_folder, check_cacheable, stage_of
from sermtl.errors import UserError
from sermtl.files import atomic_write, sha256
from sermtl.packing import FINAL_WEIGHTS
from sermtl.training import conf as confs
from sermtl.training.progress import PREFIX

LOG_TAIL = 25
DATA_FILES = {  # file of a data dir: name and type of ESPnet's dataset
    "wav.scp": "speech,kaldi_ark",
    "utt2emo": "emotion,text",
    "utt2gender": "gender,text",
    "utt2spk": "speaker,text",
    "text": "text,text",
}


@dataclass(frozen=True)
class Launcher:
    """Where and how to train: the options of ``espnet2.bin.launch``."""

    cmd: str  # utils/run.pl or utils/slurm.pl, with options
    ngpu: int  # per node
    num_nodes: int


class Experiment:
    """A folder ``exp/<tag>[/fold<K>]``.

    Args:
        folder: where everything about the run lands.
        conf: the resolved configuration.
        statsdir: stage 4's folder of this split.
        tokensdir: stage 3's folder of this split.
        dumps: the dumped sets of ``train`` and of ``valid``.
    """

    def __init__(
        self,
        folder: Path,
        conf: Mapping[str, Any],
        statsdir: Path,
        tokensdir: Path,
        dumps: Mapping[str, Sequence[Path]],
    ) -> None:
        self.folder, self.conf, self.dumps = folder, conf, dumps
        self.statsdir, self.tokensdir = statsdir, tokensdir
        self.caches = bool(conf.get("cache_hidden_states"))
        if self.caches:
            check_cacheable(conf)

    @property
    def is_trained(self) -> bool:
        """Whether training has come to its end."""
        return (self.folder / FINAL_WEIGHTS).exists()

    def prepare(self, force: bool = False) -> None:
        """Write down what the run is made from, or check that it is what it was.

        Raises:
            UserError: if configuration or data differ from those the experiment began with; with
                ``force`` the old folder is set aside instead and a new one begun.
        """
        if not (self.statsdir / "labels.json").exists():
            raise UserError(f"{self.statsdir}/labels.json is missing: run stage 4 first")
        now = {"conf.yaml": confs.dump(self.conf), "data.json": self._fingerprint()}
        if self.folder.exists() and force:
            aside = self.folder.with_name(f"{self.folder.name}.{time.strftime('%Y%m%d-%H%M%S')}")
            self.folder.rename(aside)
            print(f"{self.folder}: the earlier experiment is now {aside}")
        for name, content in now.items():
            path = self.folder / name
            if not path.exists():
                continue
            if diff := confs.difference(path.read_text(encoding="utf-8"), content, name):
                raise UserError(
                    f"{self.folder} was begun with other {name}:\n{diff}\n"
                    "Give it a name of its own (--train_tag), or start it anew (--force true)."
                )
        for name, content in now.items():
            if not (self.folder / name).exists():
                with atomic_write(self.folder / name) as stream:
                    stream.write(content)
        if self.has_tokens:
            shutil.copytree(self.tokensdir, self.folder / "tokens", dirs_exist_ok=True)

    @property
    def has_tokens(self) -> bool:
        """Whether stage 3 found any transcript."""
        return (self.tokensdir / "tokens.txt").exists()

    def train(self, launcher: Launcher) -> None:
        """Train, or go on training, to the end.

        Raises:
            UserError: if the job fails; the tail of its log is in the message.
        """
        if self.caches:
            self._cache(launcher)
        log = self.folder / "train.log"
        command = [
            *(sys.executable, "-m", "espnet2.bin.launch"),
            *("--cmd", launcher.cmd),
            *("--log", str(log)),
            *("--ngpu", str(launcher.ngpu)),
            *("--num_nodes", str(launcher.num_nodes)),
            *("--init_file_prefix", str(self.folder / ".dist_init_")),
            "--",
            *(sys.executable, "-m", "sermtl.bin.ser_train"),
            *self._arguments(),
        ]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        follower = _Follower(log, time.time())
        try:
            with jobs.started(command, **pipes) as process:
                output, _ = process.communicate()
        finally:
            follower.stop()
        if process.returncode:
            tail = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
            lines = (tail or output.decode(errors="replace")).splitlines()[-LOG_TAIL:]
            raise UserError("training failed; the end of " + "\n".join([f"{log}:", *lines]))

    def _cache(self, launcher: Launcher) -> None:
        """Compute the hidden states that aren't there, and list those of this run's sets."""
        frontend = self.conf["frontend_conf"]
        missing = [
            dump
            for dumps in self.dumps.values()
            for dump in dumps
            if not stage_of(dump, frontend).is_done()
        ]
        if missing:
            names = ", ".join(dump.name for dump in missing)
            print(f"computing the frozen encoder's hidden states of {names}")
            log = self.folder / "cache.log"
            command = [
                *(*shlex.split(launcher.cmd), "--gpu", str(min(launcher.ngpu, 1)), str(log)),
                *(sys.executable, "-m", "sermtl.bin.cache_states"),
                *("--config", str(self.folder / "conf.yaml")),
                *("--ngpu", str(min(launcher.ngpu, 1)), "--dumps", *map(str, missing)),
            ]
            if jobs.run(command):
                raise UserError(f"computing hidden states failed; see {log}")
        for part, dumps in self.dumps.items():
            lines: list[str] = []
            for dump in dumps:
                folder = cache_folder(dump, frontend)
                lines += (folder / INDEX).read_text(encoding="utf-8").splitlines(keepends=True)
            with atomic_write(self.folder / f"{part}.{INDEX}") as stream:
                stream.writelines(sorted(lines))

    def _arguments(self) -> list[str]:
        arguments = ["--config", str(self.folder / "conf.yaml")]
        arguments += ["--output_dir", str(self.folder), "--resume", "true"]
        arguments += ["--labels", str(self.statsdir / "labels.json")]
        if self.has_tokens:
            arguments += ["--token_dir", str(self.folder / "tokens")]
        for part in ("train", "valid"):
            data = self.statsdir / part
            for file, name_and_type in DATA_FILES.items():
                path = data / file
                if self.caches and file == "wav.scp":
                    path = self.folder / f"{part}.{INDEX}"
                arguments += [f"--{part}_data_path_and_name_and_type", f"{path},{name_and_type}"]
            arguments += [f"--{part}_shape_file", str(data / "speech_shape")]
        return arguments

    def _fingerprint(self) -> str:
        """Digests of every file that training reads; the audio's place and length stand for it."""
        files = [self.statsdir / "labels.json"]
        for part in ("train", "valid"):
            files += [self.statsdir / part / name for name in (*DATA_FILES, "speech_shape")]
        digests = {f"{file.parent.name}/{file.name}": sha256(file) for file in files}
        if self.has_tokens:
            digests["tokens.txt"] = sha256(self.tokensdir / "tokens.txt")
        return json.dumps(digests, indent=1) + "\n"


class _Follower:
    """Repeats a log's progress lines on the console while a job writes it."""

    def __init__(self, log: Path, since: float) -> None:
        self.log, self.since = log, since
        self.finished = threading.Event()
        self.thread = threading.Thread(target=self._follow, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Show what is left, then end."""
        self.finished.set()
        self.thread.join()

    def _follow(self) -> None:
        position = 0
        while True:
            last = self.finished.wait(0.5)
            # The launcher moves an earlier run's log away before it writes its own.
            if self.log.exists() and self.log.stat().st_mtime >= self.since:
                with open(self.log, "rb") as stream:
                    stream.seek(position)
                    content = stream.read()
                whole = content[: content.rfind(b"\n") + 1]
                position += len(whole)
                for line in whole.decode(errors="replace").splitlines():
                    if PREFIX in line:
                        print(line.split(PREFIX, 1)[1].strip(), flush=True)
            if last:
                return
