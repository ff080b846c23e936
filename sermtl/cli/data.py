"""``sermtl data``: what is in a data or dump folder."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from sermtl.errors import UserError


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add ``data`` and its own commands."""
    data = commands.add_parser("data", help="look at prepared data")
    parser = data.add_subparsers(dest="data_command", required=True, metavar="COMMAND").add_parser(
        "summary",
        help="counts, durations, speakers and labels of each set, and leaks between sets",
        description="Each set's size, durations, speakers and labels; and what sets share that "
        "should have nothing in common: speakers, audio (compared sample by sample), utterances.",
    )
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="a recipe's data or dump folder, or one set of it"
    )
    parser.add_argument("--format", choices=["table", "json"], default="table")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw emotions and durations: .png, .pdf or .svg"
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit with status 1 if any two sets share something"
    )
    parser.set_defaults(run=summary)


def summary(args: argparse.Namespace) -> None:
    """Print the summary of a folder, and draw it if asked to.

    Raises:
        UserError: for a folder that can't be summarised, and for leaks with ``--strict``.
    """
    from sermtl.data.summary import summarise
    from sermtl.data.summary_plot import picture_format, plot
    from sermtl.data.summary_table import table

    if args.plot:
        picture_format(args.plot)  # before the work
    found = summarise(args.folder)
    if args.format == "json":
        print(json.dumps(found.to_dict(), indent=1, ensure_ascii=False))
    else:
        print(table(found))
    if args.plot:
        plot(args.plot, found)
    if args.strict and found.leaks:
        pairs = ", ".join(" and ".join(leak.sets) for leak in found.leaks)
        raise UserError(f"sets of {args.folder} that share something: {pairs}")
