"""The ``sermtl`` command: one module for each of its subcommands."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from sermtl import __version__
from sermtl.cli import compare, data, doctor, info, predict, score, serve
from sermtl.errors import run_main

EXAMPLES = """examples:
  sermtl predict egs/demo/exp/train recordings/ --output answers.csv
  sermtl predict model.zip talk.mp3 --window 5 --format jsonl
  sermtl serve egs/demo/exp/train
  sermtl compare egs/demo/exp/train egs/demo/exp/wo_swfc

'sermtl COMMAND --help' tells more. A MODEL is an experiment's folder (exp/<tag>), a packed model
(stage 8: a folder or a .zip), or its name on the Hugging Face hub."""


def main(argv: Sequence[str] | None = None) -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(
        prog="sermtl",
        description="Speech emotion recognition with multi-task learning.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (predict, serve, score, compare, info, data, doctor):
        module.add_parser(commands)
    args = parser.parse_args(argv)
    run_main(lambda: args.run(args))
