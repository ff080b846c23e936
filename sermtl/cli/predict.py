"""``sermtl predict``: recognise recordings."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import ExitStack
from pathlib import Path

from sermtl.cli.answers import FORMATS, Writer
from sermtl.cli.options import add_model_options, load, seconds
from sermtl.data import WINDOW
from sermtl.errors import UserError
from sermtl.files import atomic_write
from sermtl.terminal import style

DETAILS = """\
PATH is a recording, a folder (all recordings below it), a pattern such as 'talks/*.mp3', or -
for a list on standard input, one path a line. What can't be read is told at the end, and the
exit status is 1 then; all others are answered. A name that begins with - is written ./-name."""


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("predict", help="recognise recordings", description=DETAILS)
    add_model_options(parser)
    parser.add_argument("paths", nargs="+", metavar="PATH", help="recordings, folders, patterns, -")
    parser.add_argument("--output", type=Path, help="file (default: standard output)")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="default: as --output's ending says; without, a table on a terminal, else csv",
    )
    parser.add_argument(
        "--window",
        type=seconds,
        default=WINDOW,
        metavar="SECONDS",
        help="longer recordings are cut where it is quiet, and the answers averaged "
        "(default: %(default)g)",
    )
    parser.add_argument(
        "--timeline", action="store_true", help="a row for each window instead of each recording"
    )
    parser.add_argument(
        "--batch_seconds",
        type=seconds,
        default=120.0,
        metavar="SECONDS",
        help="audio in a batch; less takes less memory (default: %(default)g)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Answer everything that can be read."""
    from tqdm import tqdm

    from sermtl.cli.recordings import recordings

    kind = args.format or _format(args.output)
    found = list(recordings(args.paths, sys.stdin.buffer))
    paths = [path for path in found if isinstance(path, str)]
    bad = [error for error in found if isinstance(error, UserError)]
    if not paths:
        raise _Failed(bad, len(found))
    files = map(os.path.realpath, filter(os.path.isfile, paths))
    if args.output and os.path.realpath(args.output) in files:
        raise UserError(f"--output {args.output} is one of the recordings, and would replace it")
    recognizer = load(args)
    answers = recognizer.stream(paths, args.batch_seconds, args.window, errors="return")
    with ExitStack() as opened:
        target = opened.enter_context(atomic_write(args.output)) if args.output else sys.stdout
        writer = Writer(target, kind, paths, args.timeline)
        # A bar on the terminal that the answers appear on would be torn by them.
        quiet = True if target is sys.stdout and sys.stdout.isatty() else None
        pairs = zip(paths, answers, strict=True)
        for path, answer in tqdm(pairs, total=len(paths), unit="", disable=quiet):
            if isinstance(answer, UserError):
                bad.append(answer)
            else:
                writer.write(path, answer)
        if args.output and len(bad) == len(found):
            raise _Failed(bad, len(found))
    if bad:
        raise _Failed(bad, len(found))


def _format(output: Path | None) -> str:
    if output is None:
        return "table" if sys.stdout.isatty() else "csv"
    ending = output.suffix.removeprefix(".").lower()
    if ending not in FORMATS:
        raise UserError(f"--output {output}: say by --format whether {', '.join(FORMATS)}")
    return ending


class _Failed(UserError):
    """Recordings that couldn't be read, after the answers for the others."""

    def __init__(self, bad: list[UserError], total: int) -> None:
        lines = "\n".join(f"  {error}" for error in bad)
        what = f"{len(bad)} of {total} recordings have no answer:"
        super().__init__(f"{style(what, 'bold', sys.stderr)}\n{lines}")
