"""Recognising a whole dumped set: batches dealt to shards, parts merged to one table."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from sermtl.data import SAMPLE_RATE
from sermtl.errors import UserError
from sermtl.files import atomic_write

TABLE = "predictions.csv"
EMBEDDINGS = "speaker_embeddings.npz"
DONE = "done.json"  # marks a set that is answered


def folder_name(tag: str) -> str:
    """The folder of a model's answers; ``tag`` tells special options apart."""
    return "_".join(filter(None, ["inference", tag]))


def batches(lengths: Sequence[int], batch_seconds: float) -> list[list[int]]:
    """Indices of clips in batches of similar length, each within ``batch_seconds`` of padded audio.

    A clip that is longer by itself is a batch of its own.
    """
    result: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        if result and lengths[i] * (len(result[-1]) + 1) <= batch_seconds * SAMPLE_RATE:
            result[-1].append(i)
        else:
            result.append([i])
    return result


def shard_batches(
    lengths: Sequence[int], batch_seconds: float, shard: int, shards: int
) -> list[list[int]]:
    """This shard's batches (numbered from 1); they are formed over the whole set, so that the
    number of shards changes no prediction."""
    return batches(lengths, batch_seconds)[shard - 1 :: shards]


def row(utt_id: str, prediction: Any) -> dict[str, object]:
    """A `sermtl.Prediction` as a row of the table; what the model doesn't say is left out."""
    values: dict[str, object] = {"id": utt_id, "emotion": prediction.emotion}
    values |= {f"prob_{label}": f"{p:.6f}" for label, p in prediction.scores.items()}
    for task in ("gender", "speaker"):
        if (answer := getattr(prediction, task)) is not None:
            values[task] = answer
            values[f"{task}_score"] = f"{getattr(prediction, f'{task}_score'):.6f}"
    if prediction.task_weights is not None:
        values |= {f"weight_{task}": f"{w:.6f}" for task, w in prediction.task_weights.items()}
    if prediction.transcript is not None:
        values["transcript"] = prediction.transcript
    return values


def write_table(target: Path | TextIO, rows: Sequence[Mapping[str, object]]) -> None:
    """Rows with the same keys as CSV, to a file or an open stream."""
    if isinstance(target, Path):
        with atomic_write(target) as stream:
            write_table(stream, rows)
        return
    writer = csv.DictWriter(target, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def merge(folder: Path, shards: int, ids: Sequence[str]) -> list[Path]:
    """Join the shards' parts in the order of ``ids``, remove them, and tell what was written.

    Raises:
        UserError: if an utterance is missing from the parts.
    """
    parts = [folder / f"part.{shard}.json" for shard in range(1, shards + 1)]
    rows: dict[str, dict[str, object]] = {}
    embeddings: dict[str, list[float]] = {}
    for part in parts:
        content = json.loads(part.read_text(encoding="utf-8"))
        rows |= {values["id"]: values for values in content["rows"]}
        embeddings |= content["embeddings"]
    if missing := [utt_id for utt_id in ids if utt_id not in rows]:
        raise UserError(
            f"{folder}: {len(missing)} utterances have no prediction, e.g. {missing[0]}"
        )
    written = [folder / TABLE]
    write_table(folder / TABLE, [rows[utt_id] for utt_id in ids])
    if embeddings:
        with atomic_write(folder / EMBEDDINGS, "wb") as stream:
            vectors = np.array([embeddings[utt_id] for utt_id in ids], dtype=np.float32)
            np.savez(stream, ids=np.array(ids), embeddings=vectors)
        written.append(folder / EMBEDDINGS)
    for part in parts:
        part.unlink()
    return written
