"""One job of stage 6: recognise a share of a set's batches."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from sermtl.data.audio import read_dump
from sermtl.errors import run_main
from sermtl.files import atomic_write
from sermtl.inference import part_files, part_writer, shard_batches
from sermtl.jobs import device, end_with_stage
from sermtl.options import natural, positive_int


def main(argv: Sequence[str] | None = None) -> None:
    """Leave a part of the answers and, from the first shard, what the model learned to mix."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="experiment folder")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--dump", type=Path, required=True, help="dumped set")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--batch_seconds", type=float, required=True)
    parser.add_argument("--window", type=float, required=True)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--shard", type=positive_int, required=True)
    parser.add_argument("--shards", type=positive_int, required=True)
    parser.add_argument("--ngpu", type=natural, default=0)
    args = parser.parse_args(argv)
    end_with_stage()
    if part_files(args.output, args.shard)[0].exists():
        return

    import torch
    from tqdm import tqdm

    from sermtl.recognizer import EmotionRecognizer

    torch.set_num_threads(1)  # sums come out alike however many shards there are
    recognizer = EmotionRecognizer.from_pretrained(
        args.model, device(args.ngpu, args.shard), args.weights, args.dtype
    )
    dump = read_dump(args.dump)
    ids = dump.ids
    longest = recognizer.longest(args.window)
    taken = [min(length, longest) for length in dump.lengths]
    recognizer.model.frontend.check_lengths(dict(zip(ids, taken, strict=True)))
    if args.shard == 1:
        model = recognizer.model
        with atomic_write(args.model / "layer_weights.json") as stream:
            json.dump({"weights": model.layer_mixing.weights().tolist()}, stream)
        with atomic_write(args.model / "parameters.json") as stream:
            total = sum(p.numel() for p in model.parameters())
            encoder = sum(p.numel() for p in model.frontend.parameters())
            json.dump({"total": total, "encoder": encoder}, stream)
    batches = shard_batches(dump.lengths, args.batch_seconds, args.shard, args.shards)
    with part_writer(args.output, args.shard) as add:
        for batch in tqdm(batches, unit="batch"):
            names = [ids[i] for i in batch]
            clips = [dump.samples(name) for name in names]
            add(names, recognizer.recognize(clips, names, args.batch_seconds, args.window))


if __name__ == "__main__":
    run_main(main)
