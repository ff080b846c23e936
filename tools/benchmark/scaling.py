"""Weak scaling: the same clips for every process, one process against several.

Each process takes whole training steps of the paper's system (bfloat16, an encoder of WavLM-large's
shape) on its own batch, through DistributedDataParallel, which averages the gradients while the
backward pass goes on. On CPUs every process has one thread and gloo, on GPUs a card and NCCL. What
is shown is the throughput of several processes over that many times the throughput of one.

    . tools/path.sh
    python tools/benchmark/scaling.py [--processes 2] [--ngpu 8 --processes 8]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from time import perf_counter

import figures
import paper_system
import torch
from torch import distributed, multiprocessing
from torch.nn.parallel import DistributedDataParallel

from sermtl.errors import UserError, run_main
from sermtl.options import positive_int


def main() -> None:
    """Measure one process, then several, and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--processes", type=positive_int, default=2)
    parser.add_argument("--ngpu", type=int, default=0, help="any: a card for every process")
    parser.add_argument(
        "--layers", type=positive_int, help="of the encoder; default: 2, or 24 on GPUs"
    )
    parser.add_argument(
        "--clips", type=positive_int, help="of a process's batch; default: 4, or 16 on GPUs"
    )
    parser.add_argument("--steps", type=positive_int, default=6)
    figures.add_option(parser)
    args = parser.parse_args()
    gpu = args.ngpu > 0
    if gpu and torch.cuda.device_count() < args.processes:
        raise UserError(f"{args.processes} processes, but {torch.cuda.device_count()} GPUs")
    layers, clips = args.layers or (24 if gpu else 2), args.clips or (16 if gpu else 4)

    times = {}
    for processes in (1, args.processes):
        with tempfile.TemporaryDirectory() as folder:
            arguments = (processes, gpu, layers, clips, args.steps, folder)
            multiprocessing.spawn(_process, arguments, nprocs=processes)
            times[processes] = torch.load(Path(folder) / "times.pt", weights_only=True)
    model = paper_system.build(layers, "bfloat16")
    exchanged = 4 * sum(p.numel() for p in model.parameters() if p.requires_grad)
    where = figures.machine("cuda") if gpu else "one thread each"
    found = figures.Figure(
        f"weak scaling to {args.processes} processes, {where}; {layers} layers, {clips} clips "
        f"each, {exchanged / 1e6:.0f} MB of gradients a step",
        f"one process: {min(times[1]):.3g} s a step",
        **figures.spread(
            [100 * a / b for a, b in zip(times[1], times[args.processes], strict=True)]
        ),
        unit="%",
    )
    figures.report([found], args.figures)


def _process(
    rank: int, processes: int, gpu: bool, layers: int, clips: int, steps: int, folder: str
) -> None:
    device = f"cuda:{rank}" if gpu else "cpu"
    if gpu:
        torch.cuda.set_device(rank)
    else:
        torch.set_num_threads(1)
    distributed.init_process_group(
        "nccl" if gpu else "gloo",
        init_method=f"file://{folder}/init",
        rank=rank,
        world_size=processes,
    )
    torch.manual_seed(0)
    model = paper_system.build(layers, "bfloat16").train().to(device)
    network = DistributedDataParallel(model, device_ids=[rank] if gpu else None)
    adam = paper_system.optimizer(model, fused=True)
    data = paper_system.batch([5.5] * clips, device)
    times = []
    for _ in range(steps + 1):
        distributed.barrier()
        begun = perf_counter()
        paper_system.step(network, adam, data)
        if gpu:
            torch.cuda.synchronize()
        distributed.barrier()
        times.append(perf_counter() - begun)
    if rank == 0:
        torch.save(times[1:], Path(folder) / "times.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    run_main(main)
