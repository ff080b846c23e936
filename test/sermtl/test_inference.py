"""Parts of a set's answers, and the table that they become."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from sermtl.inference import merge, part_files, part_writer
from sermtl.recognizer import Prediction


def prediction(number: int, embedding: bool = True) -> Prediction:
    return Prediction(
        emotion="A",
        scores={"A": number / 100, "N": 1 - number / 100},
        gender="female",
        gender_score=0.5,
        speaker_embedding=np.full(3, number, np.float32) if embedding else None,
        transcript=f'said "{number}", or not',
    )


def write_parts(folder: Path, batches: dict[int, list[list[int]]], embedding: bool) -> None:
    for shard, numbers in batches.items():
        with part_writer(folder, shard) as add:
            for batch in numbers:
                add([f"u,{n}" for n in batch], [prediction(n, embedding) for n in batch])


@pytest.mark.parametrize("embedding", [True, False])
def test_parts_become_one_table_in_the_order_of_the_set(tmp_path: Path, embedding: bool) -> None:
    write_parts(tmp_path, {1: [[7, 3], [1]], 2: [[2]], 3: []}, embedding)  # one without batches
    order = [1, 2, 3, 7]
    written = merge(tmp_path, 3, [f"u,{n}" for n in order])
    assert sorted(tmp_path.iterdir()) == sorted(written)
    with open(tmp_path / "predictions.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows == [
        {
            **{"id": f"u,{n}", "emotion": "A", "gender": "female", "gender_score": "0.500000"},
            **{"prob_A": f"{n / 100:.6f}", "prob_N": f"{1 - n / 100:.6f}"},
            "transcript": f'said "{n}", or not',
        }
        for n in order
    ]
    if embedding:
        with np.load(tmp_path / "speaker_embeddings.npz") as content:
            assert content["ids"].tolist() == [f"u,{n}" for n in order]
            assert content["embeddings"].tolist() == [[n, n, n] for n in order]
            assert content["embeddings"].dtype == np.float32


def test_a_part_that_breaks_off_is_none(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), part_writer(tmp_path, 1) as add:
        add(["u"], [prediction(1)])
        raise KeyboardInterrupt
    assert not any(file.exists() for file in part_files(tmp_path, 1))
