"""Hidden states of a frozen encoder, computed once for each dumped set instead of every epoch."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sermtl.data import SAMPLE_RATE
from sermtl.data.archive import append
from sermtl.data.audio import Dump, audio_files, padded
from sermtl.data.datadir import read_column, write_column
from sermtl.errors import UserError
from sermtl.files import atomic_write
from sermtl.stage import Stage

INDEX = "states.scp"
ARCHIVE_BATCHES = 20  # encoded between two points from which a killed run can continue


def cache_folder(dump: Path, frontend_conf: Mapping[str, Any]) -> Path:
    """Where the states of ``dump/<set>`` are, by what they depend on."""
    digest = hashlib.sha256(json.dumps(frontend_conf, sort_keys=True).encode()).hexdigest()
    return dump / f"hidden_states.{digest[:12]}"


def encoder_files(model: object) -> list[Path]:
    """Config and weights of an encoder that is a local folder; of others, none."""
    if not isinstance(model, str):
        return []
    names = ("config.json", "preprocessor_config.json", "*.safetensors", "*.bin")
    return sorted(path for name in names for path in Path(model).glob(name))


def check_cacheable(conf: Mapping[str, Any]) -> None:
    """Whether training only ever sees the same hidden states.

    Raises:
        UserError: if the encoder learns, is random, or the waveform is augmented.
    """
    if not isinstance(conf["frontend_conf"].get("model"), str):
        raise UserError("cache_hidden_states needs a pretrained encoder: a random one differs")
    if conf["frontend_conf"].get("freeze") != "all":
        raise UserError("cache_hidden_states needs a frozen encoder (frontend_conf freeze: all)")
    if conf.get("augment_conf"):
        raise UserError("cache_hidden_states and augment_conf exclude each other")


def check_clips(dump: Path, seconds: float) -> None:
    """Whether every clip of a set is encoded and learnt from as a whole.

    Raises:
        UserError: for the first that is longer than training takes, and than memory may hold.
    """
    for utt_id, samples in read_column(dump / "utt2num_samples").items():
        if int(samples) > seconds * SAMPLE_RATE:
            raise UserError(
                f"{utt_id} of {dump}: {int(samples) / SAMPLE_RATE:.2f} s, but cache_hidden_states "
                f"takes clips as a whole, and max_clip_seconds is {seconds:g}: set either otherwise"
            )


def stage_of(dump: Path, frontend_conf: Mapping[str, Any], marker: str = "done.json") -> Stage:
    """Tells whether a set's states are there; ``begun.json``, whether its archives belong to it."""
    return Stage(
        cache_folder(dump, frontend_conf) / marker,
        {"frontend_conf": frontend_conf},
        [*audio_files(dump), *encoder_files(frontend_conf.get("model"))],
    )


def cache_bytes(dump: Dump, frontend: Any) -> int:
    """Size of a set's states on disk, at most (trimming makes them fewer)."""
    import torch

    frames = frontend.encoder.frame_lengths(torch.tensor(dump.lengths)).sum().item()
    return frames * frontend.num_states * frontend.output_size() * np.dtype(np.float16).itemsize


def write_states(
    dump: Dump,
    folder: Path,
    frontend: Any,
    batches: list[list[int]],
    begun: Stage,
    report: Callable[[str], None],
) -> list[Path]:
    """Encode a set and write ``(T, L+1, D)`` float16 arrays to archives with one index.

    Args:
        dump: the set.
        folder: of its cache.
        frontend: an `SSLFrontend`.
        batches: positions in the set, of similar lengths.
        begun: marks the archives of the same work, which a killed run left and which are kept.
        report: is told now and then how far the work is.

    Raises:
        UserError: if a state is beyond what float16 holds.
    """
    if not begun.is_done():
        shutil.rmtree(folder, ignore_errors=True)
        begun.finish([])
    places: dict[str, str] = {}
    archives = []
    for number, start in enumerate(range(0, len(batches), ARCHIVE_BATCHES), 1):
        archive = folder / f"states.{number}.ark"
        index = archive.with_suffix(".scp")
        if not index.exists():
            _write_archive(dump, archive, frontend, batches[start : start + ARCHIVE_BATCHES])
        places |= read_column(index)
        archives.append(archive)
        report(f"{folder.parent.name}: hidden states of {len(places)}/{len(dump.ids)} utterances")
    write_column(folder / INDEX, places)
    return [*archives, folder / INDEX]


def _write_archive(dump: Dump, archive: Path, frontend: Any, batches: list[list[int]]) -> None:
    """One archive and, once it is whole, its index."""
    import torch

    places: dict[str, str] = {}
    device = next(frontend.parameters()).device
    with atomic_write(archive, "wb") as stream, torch.inference_mode():
        for batch in batches:
            speech, lengths = padded([dump.samples(dump.ids[i]) for i in batch])
            states, counts = frontend.encode(speech.to(device), lengths.to(device))
            states = states.permute(1, 2, 0, 3).half().cpu().numpy()  # (B, T, L+1, D)
            for row, i, count in zip(states, batch, counts.tolist(), strict=True):
                utt_id = dump.ids[i]
                array = np.ascontiguousarray(row[:count])
                if not np.isfinite(array).all():
                    raise UserError(
                        f"{utt_id}: a hidden state is beyond float16: "
                        "set cache_hidden_states: false"
                    )
                places[utt_id] = append(stream, archive, utt_id, array)
    write_column(archive.with_suffix(".scp"), places)
