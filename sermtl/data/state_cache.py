"""Hidden states of a frozen encoder, computed once for each dumped set instead of every epoch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sermtl.data.archive import append
from sermtl.data.audio import Dump
from sermtl.data.datadir import write_column
from sermtl.errors import UserError
from sermtl.files import atomic_write
from sermtl.stage import Stage

INDEX = "states.scp"


def cache_folder(dump: Path, frontend_conf: Mapping[str, Any]) -> Path:
    """Where the states of ``dump/<set>`` are, by what they depend on."""
    digest = hashlib.sha256(json.dumps(frontend_conf, sort_keys=True).encode()).hexdigest()
    return dump / f"hidden_states.{digest[:12]}"


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


def stage_of(dump: Path, frontend_conf: Mapping[str, Any]) -> Stage:
    """Tells whether a set's states are there."""
    marker = cache_folder(dump, frontend_conf) / "done.json"
    return Stage(marker, {"frontend_conf": frontend_conf}, [dump / "wav.scp"])


def write_states(dump: Dump, folder: Path, frontend: Any, batches: list[list[int]]) -> list[Path]:
    """Encode a set and write ``(T, L+1, D)`` float16 arrays to one archive.

    Args:
        dump: the set.
        folder: of its cache.
        frontend: an `SSLFrontend`.
        batches: positions in the set, of similar lengths.
    """
    import torch
    from tqdm import tqdm

    places: dict[str, str] = {}
    archive = folder / "states.ark"
    with atomic_write(archive, "wb") as stream, torch.inference_mode():
        for batch in tqdm(batches, unit="batch", desc=folder.parent.name, disable=None):
            clips = [torch.from_numpy(dump.samples(dump.ids[i])) for i in batch]
            lengths = torch.tensor([len(clip) for clip in clips])
            speech = torch.nn.utils.rnn.pad_sequence(clips, batch_first=True)
            device = next(frontend.parameters()).device
            states, counts = frontend.encode(speech.to(device), lengths.to(device))
            states = states.permute(1, 2, 0, 3).half().cpu().numpy()  # (B, T, L+1, D)
            for row, i, count in zip(states, batch, counts.tolist(), strict=True):
                utt_id = dump.ids[i]
                array = np.ascontiguousarray(row[:count])
                places[utt_id] = append(stream, archive, utt_id, array, write_function="numpy")
    write_column(folder / INDEX, places)
    return [archive, folder / INDEX]
