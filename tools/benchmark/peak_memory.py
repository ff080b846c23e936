"""The most memory that a training step of WavLM-large takes, beside transformers' forward.

A batch of 16 clips of 12 s, bfloat16, weights, gradients and Adam's moments included. On a GPU it
is what torch has allocated at most, with all 24 layers. On a CPU it is what the process holds at
most, for two small numbers of layers; from these follows what 24 take, each further layer taking as
much as those measured. Gradient checkpointing is measured besides.

    . tools/path.sh
    python tools/benchmark/peak_memory.py [--ngpu 1]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import figures

from sermtl.errors import run_main
from sermtl.jobs import device as device_of
from sermtl.options import positive_int

CLIPS, SECONDS, LAYERS = 16, 12.0, 24
CPU_LAYERS = 1, 3
WAYS = {"transformers": (True, False), "ours": (False, False), "checkpointing": (False, True)}


def main() -> None:
    """Measure each way in a process of its own, and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ngpu", type=int, default=0, choices=[0, 1])
    parser.add_argument("--clips", type=positive_int, default=CLIPS)
    parser.add_argument("--one", nargs=2, metavar=("WAY", "LAYERS"), help="measure this here")
    figures.add_option(parser)
    args = parser.parse_args()
    device = device_of(args.ngpu)
    if args.one:
        print(json.dumps(_peak(args.one[0], int(args.one[1]), args.clips, device)))
        return

    def peak(way: str, layers: int) -> float:
        command = [sys.executable, "-W", "ignore", __file__, "--one", way, str(layers)]
        command += ["--ngpu", str(args.ngpu), "--clips", str(args.clips)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        return float(json.loads(done.stdout.splitlines()[-1]))

    peaks = {}
    how = f"{LAYERS} layers"
    for way in WAYS:
        if device != "cpu":
            peaks[way] = peak(way, LAYERS)
            continue
        few, more = (peak(way, layers) for layers in CPU_LAYERS)
        each = (more - few) / (CPU_LAYERS[1] - CPU_LAYERS[0])
        peaks[way] = few + each * (LAYERS - CPU_LAYERS[0])
        how = f"{LAYERS} layers, from {' and '.join(map(str, CPU_LAYERS))}"
    where = f"{args.clips} clips of {SECONDS:g} s, bf16, {how}, {figures.machine(device)}"
    baseline = peaks["transformers"]
    names = {"ours": "", "checkpointing": " with gradient checkpointing"}
    found = [
        figures.Figure(
            f"peak memory{name}: {peaks[way] / 1e9:.1f} GB; {where}",
            f"transformers: {baseline / 1e9:.1f} GB",
            100 * peaks[way] / baseline,
            unit="%",
            at_most=67 if way == "ours" else None,
        )
        for way, name in names.items()
    ]
    figures.report(found, args.figures)


def _peak(way: str, layers: int, clips: int, device: str) -> float:
    """Bytes."""
    import resource

    import paper_system
    import torch

    baseline, checkpointing = WAYS[way]
    arguments = f"--frontend_conf gradient_checkpointing={str(checkpointing).lower()}"
    model = paper_system.build(layers, "bfloat16", baseline, arguments=arguments)
    model = model.train().to(device)
    adam = paper_system.optimizer(model, fused=not baseline)
    data = paper_system.batch([SECONDS] * clips, device)
    for _ in range(2):  # the moments are made in the first
        paper_system.step(model, adam, data)
    if device != "cpu":
        return float(torch.cuda.max_memory_allocated())
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    run_main(main)
