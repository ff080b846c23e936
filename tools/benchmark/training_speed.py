"""How fast training is, beside transformers' WavLM in the challenge baseline's way.

The paper's system with random weights of WavLM-large's shape takes whole training steps on batches
of 16 clips as long as MSP-Podcast's: as the challenge baseline does (transformers' ``forward``,
fp32, random batches padded to the longest clip), the same in bfloat16 with clips sorted by length,
and ours (bfloat16, our encoder and batches, fused Adam). The convolutions are frozen in all three.
The share of the peak is what the method needs, by formula, over what the machine's best matrix
product of the same type does in the same run.

    . tools/path.sh
    python tools/benchmark/training_speed.py [--ngpu 1] [--layers 24]
"""

from __future__ import annotations

import argparse
import gc

import figures
import numpy as np
import paper_system
import torch

from sermtl.data.batch_sampler import LengthBucketSampler
from sermtl.errors import run_main
from sermtl.jobs import device as device_of
from sermtl.options import positive_int

SIZE = 16  # clips in a batch
CORPUS = 4096  # clips that batches are made of
WAYS = {  # name: type, transformers' forward?, batches
    "fp32, random batches": ("float32", True, "random"),
    "bf16, sorted batches": ("bfloat16", True, "sorted"),
    "ours": ("bfloat16", False, "ours"),
}


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ngpu", type=int, default=0, choices=[0, 1])
    parser.add_argument(
        "--layers", type=positive_int, help="of the encoder; default: 4, or 24 on a GPU"
    )
    parser.add_argument(
        "--batches", type=positive_int, default=4, help="in a round, spread over lengths"
    )
    parser.add_argument("--repeats", type=positive_int, help="rounds; default: 2, or 10 on a GPU")
    figures.add_option(parser)
    args = parser.parse_args()
    device = device_of(args.ngpu)
    gpu = device != "cpu"
    layers = args.layers or (24 if gpu else 4)

    rates: dict[str, list[float]] = {}
    seconds: dict[str, list[np.ndarray]] = {}
    for name, (_, _, kind) in WAYS.items():
        seconds[name] = chosen(batches(kind), args.batches)
    # One after the other on a GPU, whose memory holds one; in turn on a CPU, which others slow.
    for names in [[name] for name in WAYS] if gpu else [list(WAYS)]:
        rates |= _rates(names, seconds, layers, device, args.repeats or (10 if gpu else 2))
    ours = rates["ours"]
    where = f"{layers} layers, {figures.machine(device)}"
    aims = {
        "fp32, random batches": 4.0 if gpu else 3.5,
        "bf16, sorted batches": 1.5 if gpu else 1.3,
    }
    found = [
        figures.Figure(
            f"training, utterances/s; {where}",
            f"transformers, {name}: {np.median(rates[name]):.3g}/s",
            **figures.spread([a / b for a, b in zip(ours, rates[name], strict=True)]),
            at_least=aim,
        )
        for name, aim in aims.items()
    ]
    model = paper_system.build(layers, "bfloat16")
    needed = sum(paper_system.operations(model, s, True) for data in seconds["ours"] for s in data)
    clips = sum(map(len, seconds["ours"]))
    peak = matmul_peak(device)
    shares = [100 * needed / clips * rate / peak for rate in ours]
    found.append(
        figures.Figure(
            f"share of the matmul peak in a training step, bf16; {where}",
            f"a product of 4096 x 4096: {peak / 1e12:.3g} TFLOP/s",
            **figures.spread(shares),
            unit="%",
            at_least=35 if gpu else 45,
        )
    )
    figures.report(found, args.figures)


def _rates(
    names: list[str],
    seconds: dict[str, list[np.ndarray]],
    layers: int,
    device: str,
    repeats: int,
) -> dict[str, list[float]]:
    """Utterances per second in each round."""
    works = {}
    for name in names:
        dtype, baseline, _ = WAYS[name]
        torch.manual_seed(0)
        model = paper_system.build(layers, dtype, baseline).train().to(device)
        adam = paper_system.optimizer(model, fused=not baseline)
        data = [paper_system.batch(part, device) for part in seconds[name]]
        works[name] = lambda model=model, adam=adam, data=data: [
            paper_system.step(model, adam, part) for part in data
        ]
    taken = figures.in_turn(works, repeats, figures.waiting_for(device))
    works.clear()
    gc.collect()
    if device != "cpu":
        torch.cuda.empty_cache()
    return {name: [sum(map(len, seconds[name])) / t for t in taken[name]] for name in names}


def batches(kind: str) -> list[np.ndarray]:
    """Lengths in seconds of each batch of an epoch."""
    lengths = paper_system.durations(CORPUS)
    if kind == "ours":
        clips = {str(i): float(s) for i, s in enumerate(lengths)}
        sampler = LengthBucketSampler(clips, SIZE, max_seconds=160.0)
        return [np.array([clips[name] for name in names]) for names in sampler.generate(0)]
    if kind == "sorted":
        lengths = np.sort(lengths)
    return [lengths[first : first + SIZE] for first in range(0, CORPUS, SIZE)]


def chosen(parts: list[np.ndarray], count: int) -> list[np.ndarray]:
    """Batches of all lengths, spread evenly."""
    ordered = sorted((part for part in parts if len(part) == SIZE), key=np.mean)
    places = (np.arange(count) + 0.5) / count * len(ordered)
    return [ordered[int(place)] for place in places]


def matmul_peak(device: str, size: int = 4096) -> float:
    """FLOP/s of the best of several products in bfloat16."""
    count = 1 if device == "cpu" else 20  # a GPU is done with one before it is asked for another
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    works = {"products": lambda: [a @ b for _ in range(count)]}
    taken = figures.in_turn(works, 10, figures.waiting_for(device))
    return 2 * size**3 * count / min(taken["products"])


if __name__ == "__main__":
    run_main(main)
