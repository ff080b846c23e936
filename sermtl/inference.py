"""Recognising a whole dumped set: batches dealt to shards, parts merged to one table."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np

from sermtl.data import SAMPLE_RATE
from sermtl.data.tasks import AUXILIARY
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
    for task in AUXILIARY:
        if (answer := getattr(prediction, task)) is not None:
            values[task] = answer
            values[f"{task}_score"] = f"{getattr(prediction, f'{task}_score'):.6f}"
    if prediction.task_weights is not None:
        values |= {f"weight_{task}": f"{w:.6f}" for task, w in prediction.task_weights.items()}
    if prediction.transcript is not None:
        values["transcript"] = prediction.transcript
    return values


def write_rows(stream: TextIO, rows: Sequence[Mapping[str, object]], header: bool = False) -> None:
    """Rows with the same keys as CSV, and before them the keys if asked for."""
    for values in [*([rows[0].keys()] if header else []), *(row.values() for row in rows)]:
        # A lone CR, of a file's name say, would stay unquoted and end the line.
        odd = any("\r" in str(value) for value in values)
        quoting = csv.QUOTE_ALL if odd else csv.QUOTE_MINIMAL
        csv.writer(stream, lineterminator="\n", quoting=quoting).writerow(values)


AddBatch = Callable[[Sequence[str], Sequence[Any]], None]
"""Takes ids and their `sermtl.Prediction`."""


@contextmanager
def part_writer(folder: Path, shard: int) -> Iterator[AddBatch]:
    """Write a shard's part, batch by batch; it is there once the block ends without an error."""
    table, vectors = part_files(folder, shard)
    # The table gets its name last: where it is, the part is whole.
    with atomic_write(table) as rows, atomic_write(vectors, "wb") as embeddings:

        def add(ids: Sequence[str], predictions: Sequence[Any]) -> None:
            values = [row(utt_id, p) for utt_id, p in zip(ids, predictions, strict=True)]
            write_rows(rows, values, header=not rows.tell())
            for prediction in predictions:
                if prediction.speaker_embedding is not None:
                    embeddings.write(prediction.speaker_embedding.astype(np.float32).tobytes())

        yield add


def part_files(folder: Path, shard: int) -> tuple[Path, Path]:
    """A shard's table, and its speaker embeddings as float32 in the table's order, if any."""
    return folder / f"part.{shard}.csv", folder / f"part.{shard}.f32"


def merge(folder: Path, shards: int, ids: Sequence[str]) -> list[Path]:
    """Join the shards' parts in the order of ``ids``, remove them, and tell what was written.

    Lines go from file to file, so that only their places are in memory.

    Raises:
        UserError: if an utterance is missing from the parts, or twice in them.
    """
    parts = [part_files(folder, shard) for shard in range(1, shards + 1)]
    rank: dict[str, int] = {}  # of each utterance among the rows of all parts
    places: list[tuple[BinaryIO, int]] = []  # of each row
    with ExitStack() as opened, atomic_write(folder / TABLE, "wb") as target:
        tables = [opened.enter_context(open(table, "rb")) for table, _ in parts]
        header = max(table.readline() for table in tables)  # a shard without batches has none
        for table in tables:
            place = table.tell()
            while line := table.readline():  # a record each: no value has a line break
                rank[next(csv.reader([line.decode()]))[0]] = len(places)
                places.append((table, place))
                place += len(line)
        if missing := [utt_id for utt_id in ids if utt_id not in rank]:
            raise UserError(
                f"{folder}: {len(missing)} utterances have no prediction, e.g. {missing[0]}"
            )
        if len(places) > len(ids):
            raise UserError(f"{folder}: {len(places)} predictions of {len(ids)} utterances")
        target.write(header)
        for utt_id in ids:
            table, place = places[rank[utt_id]]
            table.seek(place)
            target.write(table.readline())
    written = [folder / TABLE]
    vectors = np.concatenate([np.fromfile(file, np.float32) for _, file in parts])
    if len(vectors):
        vectors = vectors.reshape(len(places), -1)[[rank[utt_id] for utt_id in ids]]
        with atomic_write(folder / EMBEDDINGS, "wb") as stream:
            np.savez(stream, ids=np.array(ids), embeddings=vectors)
        written.append(folder / EMBEDDINGS)
    for file in folder.glob("part.*"):
        file.unlink()
    return written
