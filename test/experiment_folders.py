"""What stages 1 to 6 leave of an experiment, filled at random."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from sermtl.bin.score import main
from sermtl.data.audio import audio_files
from sermtl.data.datadir import write_column
from sermtl.stage import Stage

CLASSES = ["neutral", "happy", "sad"]
TASKS = ["speaker", "gender", "asr"]


class Experiment:
    """A scored experiment's folders, filled at random."""

    def __init__(self, folder: Path, tag: str = "tag") -> None:
        self.exp, self.dump, self.data = folder / "exp" / tag, folder / "dump", folder / "data"
        self.others: dict[str, Path] = {}  # dumps of other recipes
        self.references: dict[str, dict[str, str]] = {}
        self.predictions: dict[str, dict[str, str]] = {}

    def add_set(self, name: str, n: int = 60) -> None:
        rng = np.random.default_rng(sum(map(ord, name)))
        ids = [f"{name}-{i:03}" for i in range(n)]
        columns = {
            "utt2emo": rng.choice([*CLASSES, "<unk>"], n),
            "utt2gender": rng.choice(["female", "male"], n),
            "utt2spk": [f"{name}{i % 12:02}" for i in range(n)],
            "text": rng.choice(["One two.", "three four five", "<unk>"], n),
        }
        for file, values in columns.items():
            column = dict(zip(ids, map(str, values), strict=True))
            for folder in (self.dump, self.data):
                write_column(folder / name / file, column)
            self.references.setdefault(file, {}).update(column)

    def add_predictions(self, folder: Path, name: str, recipe: str = "", seed: int = 7) -> Path:
        rng = np.random.default_rng(seed)
        rows = []
        ids = [i for i in self.references["utt2emo"] if i.startswith(f"{name}-")]
        for utt_id in ids:
            p, omega = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(3))
            row = {"id": utt_id, "emotion": CLASSES[p.argmax()]}
            row |= {f"prob_{c}": f"{x:.6f}" for c, x in zip(CLASSES, p, strict=True)}
            row |= {"gender": rng.choice(["female", "male"]), "gender_score": "0.7"}
            row |= {f"weight_{t}": f"{x:.6f}" for t, x in zip(TASKS, omega, strict=True)}
            row["transcript"] = rng.choice(["one two", "three", ""])
            rows.append({key: str(value) for key, value in row.items()})
        self.predictions |= {row["id"]: row for row in rows}
        path = folder / "inference" / recipe / name / "predictions.csv"
        self.write(path, rows)
        dump = self.dump / name if not recipe else self.others[recipe] / name
        Stage(path.parent / "done.json", {}, audio_files(dump)).finish([])
        embeddings = rng.normal(size=(len(ids), 4)).astype(np.float32)
        np.savez(path.parent / "speaker_embeddings.npz", ids=np.array(ids), embeddings=embeddings)
        history = [{"epoch": 1, "train": {"loss": 2.0}, "valid": {"loss": 2.1, "macro_f1": 0.2}}]
        (folder / "history.json").write_text(json.dumps(history))
        (folder / "layer_weights.json").write_text('{"weights": [0.5, 0.3, 0.2]}')
        (folder / "parameters.json").write_text('{"total": 12345, "encoder": 12000}')
        return path

    @staticmethod
    def write(path: Path, rows: list[dict[str, str]]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", newline="") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    def score(self, **options: str) -> dict:
        arguments = ["--expdir", self.exp, "--dumpdir", self.dump, "--datadir", self.data]
        for name, value in options.items():
            arguments += [f"--{name}", value]
        main([str(argument) for argument in arguments])
        return json.loads((self.exp / "results.json").read_text())
