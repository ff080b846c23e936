"""How fast inference is, beside transformers' WavLM on one clip at a time.

The paper's system with random weights of WavLM-large's shape answers clips as long as
MSP-Podcast's: one by one through transformers' ``forward`` in fp32, and as stage 6 does it, in
batches of similar lengths, in fp32 and in bfloat16.

    . tools/path.sh
    python tools/benchmark/inference_speed.py [--ngpu 1] [--layers 24] [--clips 512]
"""

from __future__ import annotations

import argparse

import figures
import numpy as np
import paper_system
import torch

from sermtl.data import SAMPLE_RATE
from sermtl.errors import run_main
from sermtl.inference import batches
from sermtl.jobs import device as device_of
from sermtl.options import positive_int
from sermtl.recognizer import EmotionRecognizer


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ngpu", type=int, default=0, choices=[0, 1])
    parser.add_argument(
        "--layers", type=positive_int, help="of the encoder; default: 4, or 24 on a GPU"
    )
    parser.add_argument("--clips", type=positive_int, help="default: 48, or 512 on a GPU")
    parser.add_argument("--batch_seconds", type=float, default=120.0)
    parser.add_argument("--repeats", type=positive_int, default=3)
    figures.add_option(parser)
    args = parser.parse_args()
    device = device_of(args.ngpu)
    gpu = device != "cpu"
    layers, count = args.layers or (24 if gpu else 4), args.clips or (512 if gpu else 48)
    random = np.random.default_rng(0)
    clips = [
        random.normal(0.0, 0.1, round(s * SAMPLE_RATE)).astype(np.float32)
        for s in paper_system.durations(count)
    ]
    together = batches([len(clip) for clip in clips], args.batch_seconds)

    def recognizer(dtype: str, baseline: bool) -> EmotionRecognizer:
        torch.manual_seed(0)
        return EmotionRecognizer(paper_system.build(layers, dtype, baseline).eval().to(device))

    def answer(dtype: str, baseline: bool, parts: list[list[int]]) -> object:
        recognize = recognizer(dtype, baseline).recognize
        return lambda: [recognize([clips[i] for i in part]) for part in parts]

    taken = figures.in_turn(
        {
            "alone": answer("float32", True, [[i] for i in range(count)]),
            "fp32": answer("float32", False, together),
            "bf16": answer("bfloat16", False, together),
        },
        args.repeats,
        figures.waiting_for(device),
    )
    where = f"{layers} layers, {figures.machine(device)}"
    rate = count / np.median(taken["alone"])
    found = [
        figures.Figure(
            f"inference in {name}, utterances/s; {where}",
            f"transformers, fp32, one clip at a time: {rate:.3g}/s",
            **figures.spread([a / b for a, b in zip(taken["alone"], taken[name], strict=True)]),
            at_least=aim,
        )
        for name, aim in {"fp32": None, "bf16": 15.0 if gpu else 2.5}.items()
    ]
    figures.report(found, args.figures)


if __name__ == "__main__":
    run_main(main)
