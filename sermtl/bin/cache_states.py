"""Compute a frozen encoder's hidden states of dumped sets (a job of stage 5)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import yaml

from sermtl.data.audio import read_dump
from sermtl.data.state_cache import cache_folder, stage_of, write_states
from sermtl.errors import run_main
from sermtl.inference import batches


def main(argv: Sequence[str] | None = None) -> None:
    """Encode each set that isn't encoded yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="resolved training conf")
    parser.add_argument("--dumps", type=Path, nargs="+", required=True, help="dumped sets")
    parser.add_argument("--ngpu", type=int, default=0)
    parser.add_argument("--batch_seconds", type=float, default=120.0)
    args = parser.parse_args(argv)
    frontend_conf = yaml.safe_load(args.config.read_text(encoding="utf-8"))["frontend_conf"]

    from sermtl.model.ssl_frontend import SSLFrontend

    frontend = SSLFrontend(**frontend_conf).eval().to("cuda" if args.ngpu else "cpu")
    for folder in args.dumps:
        stage = stage_of(folder, frontend_conf)
        if not stage.is_done():
            dump = read_dump(folder)
            parts = batches(dump.lengths, args.batch_seconds)
            target = cache_folder(folder, frontend_conf)
            stage.finish(write_states(dump, target, frontend, parts))


if __name__ == "__main__":
    run_main(main)
