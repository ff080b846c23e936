"""How long a small packed model takes to its first answer, in a fresh process, and to the next.

The demo's model with random weights answers a clip of 6 s. The baseline of the first answer is
importing torch and transformers' WavLM alone.

    . tools/path.sh
    python tools/benchmark/first_prediction.py [--repeats 5]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import yaml
from figures import Figure, add_option, machine, report, spread

from sermtl.errors import run_main
from sermtl.model.build import build_model
from sermtl.options import positive_int
from sermtl.packing import pack
from sermtl.training import FINAL_WEIGHTS
from sermtl.training.conf import resolve

CONFS = ["conf/train.yaml", "egs/demo/conf/train.yaml"]
IMPORTS = """
from time import perf_counter
begun = perf_counter()
import torch
from transformers import WavLMModel
print(perf_counter() - begun)
"""
ANSWERS = """
import sys
from time import perf_counter
begun = perf_counter()
from sermtl import EmotionRecognizer
recognizer = EmotionRecognizer.from_pretrained(sys.argv[1])
import numpy as np
clip = np.random.default_rng(0).normal(0, 0.1, 96_000).astype(np.float32), 16_000
recognizer(clip)
first = perf_counter()
recognizer(clip)
print([first - begun, perf_counter() - first])
"""


def main() -> None:
    """Ask fresh processes, in turn with the baseline."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=positive_int, default=5)
    add_option(parser)
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        archive = _packed(Path(folder))
        imports, answers = [], []
        for _ in range(args.repeats + 1):
            imports.append(_run(IMPORTS))
            answers.append(_run(ANSWERS, str(archive)))
    # The first round reads programs from disk.
    firsts, nexts = zip(*answers[1:], strict=True)
    baseline = (
        f"torch and transformers' WavLM imported: {sorted(imports[1:])[len(imports) // 2]:.2f} s"
    )
    here = machine()
    figures = [
        Figure(
            f"first answer of a small model; {here}",
            baseline,
            **spread(firsts),
            unit="s",
            at_most=6,
        ),
        Figure(f"next answer, 6 s of audio; {here}", "", **spread(nexts), unit="s", at_most=0.2),
    ]
    report(figures, args.figures)


def _run(code: str, *arguments: str) -> float | list[float]:
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _packed(folder: Path) -> Path:
    """The demo's model with random weights, as stage 8 packs it."""
    conf = resolve(CONFS)
    emotions = list("AHSFUCDN")
    labels = {
        "emotions": emotions,
        "genders": ["female", "male"],
        "speakers": [str(i) for i in range(16)],
        "counts": {"emotion": dict.fromkeys(emotions, 100)},
        "tasks": {"emotion": 800, "gender": 800, "speaker": 800, "asr": 0},
    }
    model = build_model({**conf, "labels": labels, "token_list": []})
    config = {
        "frontend_conf": {**conf["frontend_conf"], "model": model.frontend.describe()},
        "model_conf": conf["model_conf"],
        "labels": labels,
        "token_list": [],
    }
    torch.save(model.state_dict(), folder / FINAL_WEIGHTS)
    (folder / "conf.yaml").write_text(yaml.safe_dump(conf), encoding="utf-8")
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return pack(folder, FINAL_WEIGHTS, folder / "model", "", {})


if __name__ == "__main__":
    run_main(main)
