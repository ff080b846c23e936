"""The ``sermtl`` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sermtl import __version__
from sermtl.errors import UserError, run_main


def main(argv: Sequence[str] | None = None) -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(prog="sermtl", description="Speech emotion recognition.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    predict = commands.add_parser("predict", help="recognise audio files")
    predict.add_argument("model", help="experiment folder, packed model or hub name")
    predict.add_argument("paths", nargs="+", help="audio files")
    predict.add_argument("--output", type=Path, help="CSV file (default: standard output)")
    predict.add_argument("--device", default="cpu")
    args = parser.parse_args(argv)
    run_main(lambda: _predict(args))


def _predict(args: argparse.Namespace) -> None:
    """A table with a row for each file, in the order given."""
    if missing := [path for path in args.paths if not Path(path).is_file()]:
        raise UserError(f"there is no file {missing[0]}")
    from sermtl.inference import row, write_table
    from sermtl.recognizer import EmotionRecognizer

    recognizer = EmotionRecognizer.from_pretrained(args.model, args.device)
    predictions = recognizer.stream(args.paths)
    rows = [row(path, prediction) for path, prediction in zip(args.paths, predictions, strict=True)]
    write_table(args.output or sys.stdout, rows)


if __name__ == "__main__":
    main()
