"""Compute a frozen encoder's hidden states of dumped sets (a job of stage 5)."""

from __future__ import annotations

import argparse
import logging
import math
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from sermtl.data.audio import read_dump
from sermtl.data.state_cache import cache_bytes, cache_folder, stage_of, write_states
from sermtl.documents import read_yaml
from sermtl.errors import UserError, run_main
from sermtl.files import exclusive
from sermtl.inference import batches
from sermtl.jobs import device, end_with_stage
from sermtl.options import natural
from sermtl.training.log import PREFIX


def main(argv: Sequence[str] | None = None) -> None:
    """Encode each set that isn't encoded yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="resolved training conf")
    parser.add_argument("--dumps", type=Path, nargs="+", required=True, help="dumped sets")
    parser.add_argument("--ngpu", type=natural, default=0)
    parser.add_argument("--batch_seconds", type=float, default=120.0)
    args = parser.parse_args(argv)
    end_with_stage()
    frontend_conf = read_yaml(args.config)["frontend_conf"]

    from sermtl.model.ssl_frontend import SSLFrontend

    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
    frontend = SSLFrontend(**frontend_conf).eval().to(device(args.ngpu))
    todo = {folder: stage_of(folder, frontend_conf) for folder in args.dumps}
    todo = {folder: stage for folder, stage in todo.items() if not stage.is_done()}
    dumps = {folder: read_dump(folder) for folder in todo}
    for dump in dumps.values():
        frontend.check_lengths(dict(zip(dump.ids, dump.lengths, strict=True)))
    _check_room({folder: cache_bytes(dump, frontend) for folder, dump in dumps.items()})
    for folder, dump in dumps.items():
        # Folds that are trained side by side need the same sets.
        with exclusive(folder, ".states.lock", wait=math.inf):
            if todo[folder].is_done():
                continue
            parts = batches(dump.lengths, args.batch_seconds)
            target = cache_folder(folder, frontend_conf)
            begun = stage_of(folder, frontend_conf, "begun.json")
            todo[folder].finish(write_states(dump, target, frontend, parts, begun, _report))


def _report(text: str) -> None:
    logging.info(f"{PREFIX} {text}")


def _check_room(sizes: dict[Path, int]) -> None:
    """Announce how large the states will be, and refuse to fill the disk with them."""
    total = sum(sizes.values())
    _report(f"hidden states of {len(sizes)} sets: up to {total / 1e9:.1f} GB")
    free = shutil.disk_usage(next(iter(sizes))).free if sizes else 0
    if total > free:
        raise UserError(
            f"the hidden states need {total / 1e9:.1f} GB and the disk has {free / 1e9:.1f} GB: "
            "set cache_hidden_states: false, or give --dumpdir on a larger disk"
        )


if __name__ == "__main__":
    run_main(main)
