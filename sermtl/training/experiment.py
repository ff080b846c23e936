"""One training run: its folder, what it was made from, and ESPnet's launcher."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sermtl import jobs
from sermtl.data import WINDOW
from sermtl.data.audio import DIGESTS, read_dump
from sermtl.data.state_cache import (
    INDEX,
    cache_folder,
    check_cacheable,
    check_clips,
    encoder_files,
    stage_of,
)
from sermtl.data.tasks import LABEL_FILES
from sermtl.data.tokens import Tokenizer
from sermtl.data.training_data import check_training_data
from sermtl.errors import UserError
from sermtl.files import atomic_write, exclusive, sha256
from sermtl.stage import is_whole
from sermtl.training import FINAL_WEIGHTS, has_begun, monitors
from sermtl.training import conf as confs
from sermtl.training.log import Follower, tail, verdict
from sermtl.versions import FILE as VERSIONS
from sermtl.versions import differences, versions, versions_of

DATA_FILES = {  # file of a data dir: name and type of ESPnet's dataset
    "wav.scp": "speech,kaldi_ark",
    **{file: f"{label},text" for label, file in LABEL_FILES.items()},
}
MEETING = ".dist_init_"  # begin of the file through which several nodes' processes meet


@dataclass(frozen=True)
class Launcher:
    """Where and how to train: the options of ``espnet2.bin.launch``."""

    cmd: str  # utils/run.pl or utils/slurm.pl, with options
    ngpu: int  # per node
    num_nodes: int
    dist_timeout: int | None = None  # in place of the configuration's


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
        self.folder, self.dumps = folder, dumps
        self.conf, self.monitors = monitors.divide(conf)
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

        Other versions of the code than it was begun with are warned of.

        Raises:
            UserError: if configuration or data differ from those the experiment began with; with
                ``force`` the old folder is set aside instead and a new one begun.
        """
        needed = {self.statsdir / "labels.json": 4, self.tokensdir: 3}
        dumps = [dump for dumps in self.dumps.values() for dump in dumps]
        needed |= {dump / DIGESTS: 1 for dump in dumps}
        for file, stage in needed.items():
            if not file.exists():
                raise UserError(f"{file} is missing: run stage {stage} first")
        check_training_data(self.statsdir, dumps)
        for folder, stage in ((self.statsdir, 4), (self.tokensdir, 3)):
            marker = folder / "done.json"
            if marker.exists() and not is_whole(marker):
                raise UserError(
                    f"{folder} isn't as stage {stage} leaves it: run stage {stage} first"
                )
        for dump in dumps:
            read_dump(dump)  # ESPnet reads the beginning of a clip whose archive is cut off
        now = {"conf.yaml": confs.dump(self.conf), "data.json": self._fingerprint()}
        code = versions()
        if self.folder.exists() and force:
            with self._alone():
                aside = f"{self.folder.name}.{time.strftime('%Y%m%d-%H%M%S')}"
                self.folder.rename(self.folder.with_name(aside))
                print(f"{self.folder}: the earlier experiment is now {aside}")
        with self._alone():
            if has_begun(self.folder):
                self._compare(now)
                if not self.is_trained:
                    self._note(code)
                if not (self.folder / "tokens" / "tokens.txt").exists():
                    self._copy_tokens()
                return
            for name, content in [*now.items(), (VERSIONS, _json([code]))]:
                with atomic_write(self.folder / name) as stream:
                    stream.write(content)
            self._copy_tokens()

    def _copy_tokens(self) -> None:
        """So that the experiment is whole without the dump."""
        if self.has_tokens:
            Tokenizer.load(self.tokensdir).save(self.folder / "tokens")

    def _compare(self, now: Mapping[str, str]) -> None:
        for name, content in now.items():
            path = self.folder / name
            begun = path.read_text(encoding="utf-8") if path.exists() else ""
            if diff := confs.difference(begun, content, name):
                raise UserError(
                    f"{self.folder} was begun with other {name}:\n{diff}\n"
                    "Give it a name of its own (--train_tag), or start it anew (--force true)."
                )

    def _note(self, code: Mapping[str, str]) -> None:
        """Warn of other versions than the run had last, and add them to its record."""
        before = versions_of(self.folder)
        if changes := differences(before[-1] if before else {}, code):
            print(
                f"warning: {self.folder} was begun with other versions ({changes}): "
                "results may differ",
                file=sys.stderr,
            )
            with atomic_write(self.folder / VERSIONS) as stream:
                stream.write(_json([*before, code]))

    @property
    def has_tokens(self) -> bool:
        """Whether stage 3 found any transcript."""
        return (self.tokensdir / "tokens.txt").exists()

    def train(self, launcher: Launcher) -> None:
        """Train, or go on training, to the end.

        Raises:
            UserError: if the job fails; what its log tells is in the message.
        """
        if jobs.is_local(launcher.cmd) and launcher.num_nodes > 1:
            raise UserError(
                "utils/run.pl has this machine only; for --num_nodes give "
                '--cmd "utils/slurm.pl --config conf/slurm.conf"'
            )
        monitors.check(self.monitors)
        with self._alone():
            self._train(launcher)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other stage here, nor a training that outlived its stage (which soon ends)."""
        with exclusive(self.folder, ".stage.lock"):
            with exclusive(self.folder, wait=jobs.GOING):
                pass
            yield

    def _train(self, launcher: Launcher) -> None:
        if self.caches:
            self._cache(launcher)
        log = self.folder / "train.log"
        command = [
            *(sys.executable, "-m", "espnet2.bin.launch"),
            *("--cmd", launcher.cmd),
            *("--log", str(log)),
            *("--ngpu", str(launcher.ngpu)),
            *("--num_nodes", str(launcher.num_nodes)),
            *("--init_file_prefix", str(self.folder / MEETING)),
            "--",
            *(sys.executable, "-m", "sermtl.bin.ser_train"),
            *self.arguments(),
        ]
        if launcher.dist_timeout is not None:
            command += ["--dist_timeout", str(launcher.dist_timeout)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with Follower(log), jobs.started(command, **pipes) as process:
            output, _ = process.communicate()
        for meeting in self.folder.glob(f"{MEETING}*"):  # left by processes that didn't part
            meeting.unlink()
        if process.returncode:
            became, told = verdict(output.decode(errors="replace")), jobs.told([log])
            if told and "job failed (code" in became:  # which adds nothing
                raise UserError(f"training failed: {told.removeprefix('error: ')} (log: {log})")
            raise UserError(f"training failed: {became}\n{tail(log)}".rstrip())

    def _cache(self, launcher: Launcher) -> None:
        """Compute the hidden states that aren't there, and list those of this run's sets."""
        frontend = self.conf["frontend_conf"]
        for dump in (dump for dumps in self.dumps.values() for dump in dumps):
            check_clips(dump, self.conf.get("max_clip_seconds") or WINDOW)
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
                *(*jobs.starter(launcher.cmd), "--gpu", str(min(launcher.ngpu, 1)), str(log)),
                *(sys.executable, "-m", "sermtl.bin.cache_states"),
                *("--config", str(self.folder / "conf.yaml")),
                *("--ngpu", str(min(launcher.ngpu, 1)), "--dumps", *map(str, missing)),
            ]
            with Follower(log):
                failed = jobs.run(command)
            if failed:
                told = jobs.told([log]).removeprefix("error: ") or "the log may tell why"
                raise UserError(f"computing hidden states failed: {told} (log: {log})")
        for part, dumps in self.dumps.items():
            lines: list[str] = []
            for dump in dumps:
                folder = cache_folder(dump, frontend)
                lines += (folder / INDEX).read_text(encoding="utf-8").splitlines(keepends=True)
            with atomic_write(self.folder / f"{part}.{INDEX}") as stream:
                stream.writelines(sorted(lines))

    def arguments(self) -> list[str]:
        """Of `sermtl.bin.ser_train`, but for the machine's."""
        arguments = ["--config", str(self.folder / "conf.yaml")]
        arguments += ["--output_dir", str(self.folder), "--resume", "true"]
        arguments += ["--labels", str(self.statsdir / "labels.json")]
        for option, value in self.monitors.items():
            arguments += [f"--{option}", str(value)]
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
        """Digests of every file that training reads, wherever the audio lies."""
        files = [self.statsdir / "labels.json"]
        for part in ("train", "valid"):
            files += [self.statsdir / part / name for name in (*DATA_FILES, "speech_shape")]
        files += [dump / DIGESTS for dumps in self.dumps.values() for dump in dumps]
        files += encoder_files(self.conf["frontend_conf"].get("model"))
        digests = {
            f"{file.parent.name}/{file.name}": _digest(file, file.stat().st_mtime_ns)
            for file in files
        }
        if self.has_tokens:
            digests["tokens.txt"] = sha256(self.tokensdir / "tokens.txt")
        return _json(digests)


def _json(content: Any) -> str:
    return json.dumps(content, indent=1) + "\n"


@cache
def _digest(file: Path, _time: int) -> str:
    """SHA-256, once for all folds: an encoder's weights take seconds.

    Of ``wav.scp`` without the archives' folders, so that data may move; their content has digests
    of its own.
    """
    if file.name != "wav.scp":
        return sha256(file)
    places = re.sub(rb"(?m)^(\S+ ).*/", rb"\1", file.read_bytes())
    return hashlib.sha256(places).hexdigest()
