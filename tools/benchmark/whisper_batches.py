"""What stage 2 gains by decoding clips together.

The baseline is the same code on the same clips with one clip at a time (`--batch_size 1`), both in
turn in this process, so that what slows the machine down slows both. Without ``--whisper_model``
the model is a tiny one with random weights, which tells of the code's own costs; without
``--dump``, the clips are noise as long as those of acted corpora. Sampling is off unless
``--temperatures`` says otherwise: what the guards refuse is decoded one at a time either way.

    . tools/path.sh
    python tools/benchmark/whisper_batches.py [--whisper_model MODEL --dump egs/ravdess/dump/train]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from sermtl.data import SAMPLE_RATE
from sermtl.data.audio import read_dump
from sermtl.errors import run_main
from sermtl.jobs import device
from sermtl.transcription.guards import Guards, parse_temperatures
from sermtl.transcription.records import Transcript


def main() -> None:
    """Measure both ways in turn and show the median ratio of their speeds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--whisper_model", help="released model's name or checkpoint")
    parser.add_argument("--language", default="auto")
    parser.add_argument("--dump", type=Path, help="dumped set to take clips from")
    parser.add_argument("--clips", type=int, default=64, help="how many clips")
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--temperatures", default="0")
    parser.add_argument("--ngpu", type=int, default=0, choices=[0, 1])
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()

    import torch

    from sermtl.transcription.whisper import Transcriber

    torch.set_num_threads(1)  # as a job of stage 2
    with tempfile.TemporaryDirectory() as folder:
        model = args.whisper_model or str(_tiny_model(Path(folder)))
        guards = Guards(parse_temperatures(args.temperatures))
        transcriber = Transcriber(model, args.language, device(args.ngpu), guards)
    clips = _dumped(args.dump, args.clips) if args.dump else _noise(args.clips)
    seconds = sum(map(len, clips.values())) / SAMPLE_RATE

    def run(batch_size: int) -> tuple[float, dict[str, Transcript]]:
        names, made = list(clips), {}
        start = time.perf_counter()
        for first in range(0, len(names), batch_size):
            batch = {name: clips[name] for name in names[first : first + batch_size]}
            made |= {transcript.id: transcript for transcript in transcriber(batch)}
        return time.perf_counter() - start, made

    run(args.batch_size)  # the first one pays for what is loaded late
    alone, together = [], []
    for _ in range(args.repeats):
        spent, one_by_one = run(1)
        alone.append(spent)
        spent, batched = run(args.batch_size)
        together.append(spent)
    ratios = [a / b for a, b in zip(alone, together, strict=True)]
    same = sum(batched[name].text == one_by_one[name].text for name in clips)
    where = torch.cuda.get_device_name() if args.ngpu else "one CPU thread"
    print(
        f"{args.whisper_model or 'tiny random model'}, {where}: {len(clips)} clips, {seconds:.0f} s"
    )
    _show("baseline, one clip at a time", alone, len(clips), seconds)
    _show(f"batches of {args.batch_size}", together, len(clips), seconds)
    print(
        f"ratio of throughputs {statistics.median(ratios):.2f} "
        f"[{min(ratios):.2f}, {max(ratios):.2f}] over {args.repeats} pairs; "
        f"{same} of {len(clips)} texts identical"
    )


def _tiny_model(folder: Path) -> Path:
    sys.path.append(str(Path(__file__).resolve().parents[2] / "test"))
    from tiny_whisper import write_checkpoint

    return write_checkpoint(folder / "tiny.pt")


def _noise(count: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    lengths = (random.uniform(2.0, 6.0, count) * SAMPLE_RATE).astype(int)
    return {
        f"noise{i}": random.normal(0.0, 0.02 * (i + 1) / count, n).astype(np.float32)
        for i, n in enumerate(lengths)
    }


def _dumped(folder: Path, count: int) -> dict[str, np.ndarray]:
    """Clips spread evenly over the set, longest first as in stage 2."""
    dump = read_dump(folder)
    order = sorted(range(len(dump.ids)), key=lambda i: -dump.lengths[i])
    chosen = order[:: max(1, len(order) // count)][:count]
    return {dump.ids[i]: dump.samples(dump.ids[i]) for i in chosen}


def _show(title: str, spent: list[float], clips: int, seconds: float) -> None:
    median = statistics.median(spent)
    print(f"{title}: {clips / median:.1f} clips/s, {seconds / median:.0f} x real time")


if __name__ == "__main__":
    run_main(main)
