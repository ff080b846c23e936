"""Writing a set's audio as few big archives, in parallel, so that a killed run can continue."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sermtl.data.archive import append
from sermtl.data.audio import UNREADABLE, change_speed, read_audio, to_int16
from sermtl.data.datadir import unfit
from sermtl.data.utterance import Utterance
from sermtl.errors import UserError
from sermtl.files import atomic_write, sha256
from sermtl.jobs import end_with_parent
from sermtl.stage import Stage
from sermtl.terminal import printable

SHARD_UTTERANCES = 500


@dataclass
class Dumped:
    """What became of a set's audio."""

    places: dict[str, str] = field(default_factory=dict)  # id -> archive:offset
    samples: dict[str, int] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)  # ids of clips whose samples are all alike
    unreadable: dict[str, str] = field(default_factory=dict)  # id -> reason
    changed: list[str] = field(default_factory=list)  # ids of clips that came or went meanwhile
    digests: dict[str, str] = field(default_factory=dict)  # archive -> SHA-256 of its content


def dump_audio(
    utterances: Sequence[Utterance], folder: Path, nj: int, max_unreadable: float
) -> Dumped:
    """Write ``wav.<k>.ark`` with 16 kHz mono 16-bit audio.

    Args:
        utterances: of one set, each id once.
        folder: ``dump/<set>``.
        nj: parallel processes.
        max_unreadable: share of the utterances that may be unreadable.

    Raises:
        UserError: if more are; some are named, all are in ``unreadable.txt``.
    """
    ordered = sorted(utterances, key=lambda u: u.id)
    shards = [
        (ordered[start : start + SHARD_UTTERANCES], folder / f"wav.{number}.ark")
        for number, start in enumerate(range(0, len(ordered), SHARD_UTTERANCES), 1)
    ]
    _clear(folder, {archive for _, archive in shards})
    dumped = Dumped()
    pool = ProcessPoolExecutor(
        max(1, min(nj, len(shards))), multiprocessing.get_context("spawn"), _begin_worker
    )
    try:
        with tqdm(total=len(ordered), unit="utt", desc=folder.name, disable=None) as bar:
            jobs = [pool.submit(_write_shard, part, archive) for part, archive in shards]
            for job in as_completed(jobs):
                part = job.result()
                dumped.places |= part.places
                dumped.samples |= part.samples
                dumped.silent += part.silent
                dumped.unreadable |= part.unreadable
                dumped.digests |= part.digests
                dumped.changed += part.changed
                bar.update(len(part.places) + len(part.unreadable))
    finally:
        pool.shutdown(cancel_futures=True)
    report = folder / UNREADABLE
    with atomic_write(report) as stream:
        stream.writelines(f"{u} {why}\n" for u, why in sorted(dumped.unreadable.items()))
    if len(dumped.unreadable) > max_unreadable * len(ordered):
        first = "; ".join(list(dumped.unreadable.values())[:3])
        raise UserError(
            f"{len(dumped.unreadable)} of {len(ordered)} clips of {folder.name} can't be read, "
            f"more than --max_unreadable {max_unreadable} allows. See {report}: {first}"
        )
    return dumped


def _clear(folder: Path, archives: set[Path]) -> None:
    """Remove archives of a corpus that was larger."""
    for file in folder.glob("wav.*.ark"):
        if file not in archives:
            for part in (file, file.with_suffix(".json"), file.with_suffix(".done.json")):
                part.unlink(missing_ok=True)


def _begin_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to tell of
    end_with_parent()  # the pool would leave it waiting for ever


def _write_shard(utterances: Sequence[Utterance], archive: Path) -> Dumped:
    """One archive and, once it is whole, its index; nothing if that is there already."""
    index = archive.with_suffix(".json")
    sources = [source_of(u) for u in utterances]
    work = Stage(archive.with_suffix(".done.json"), {"sources": sources})
    if work.is_done():
        return Dumped(**json.loads(index.read_text(encoding="utf-8")))
    dumped = Dumped()
    with atomic_write(archive, "wb") as stream:
        for u, source in zip(utterances, sources, strict=True):
            try:
                samples = _samples(u)
            except UserError as error:
                dumped.unreadable[u.id] = str(error)
                continue
            finally:
                if source_of(u) != source:
                    dumped.changed.append(u.id)
            dumped.places[u.id] = append(stream, archive, u.id, samples)
            dumped.samples[u.id] = len(samples)
            if samples.min() == samples.max():
                dumped.silent.append(u.id)
    dumped.digests[archive.name] = sha256(archive)
    with atomic_write(index) as stream:
        json.dump(vars(dumped), stream)
    if not dumped.changed:
        work.finish([archive, index])
    return dumped


def _samples(u: Utterance) -> np.ndarray:
    """16 bit at 16 kHz; a `UserError` names the file."""
    name = printable(u.audio)
    if why := unfit(os.path.abspath(u.audio)):
        raise UserError(f"{name}: the name has {why}, so wav.scp can't hold it: rename it")
    samples = change_speed(read_audio(u.audio, u.start, u.end), u.speed)
    try:
        return to_int16(samples)
    except UserError as error:
        raise UserError(f"{name}: {error}") from error


def source_of(u: Utterance) -> list[object]:
    """What an utterance's samples come from.

    Size and time stand for the file's content: reading all audio would take too long.
    """
    stamp = None
    with suppress(OSError, ValueError):  # reading tells of these
        stat = os.stat(u.audio)  # once: file servers take their time
        stamp = [stat.st_size, stat.st_mtime_ns]
    return [u.id, u.audio, u.start, u.end, u.speed, stamp]
