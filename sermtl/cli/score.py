"""``sermtl score``: compare two tables of labels."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

DETAILS = """\
Score answers against references, with 95 % bootstrap intervals. Both are CSV or TSV with a header:
a column 'id', 'path' or 'FileName', a column 'emotion' or 'EmoClass', and any of 'gender',
'speaker' (REF: intervals then are over speakers, if there are ten) and 'text' or 'transcript'. REF
may also be a data folder (utt2emo, utt2gender, utt2spk, text). Where no id is in both, file names
without folder and ending are compared."""


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "score",
        help="score a table of answers against one of references",
        description=DETAILS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("reference", metavar="REF", type=Path, help="references")
    parser.add_argument("hypothesis", metavar="HYP", type=Path, help="answers")
    parser.add_argument("--json", action="store_true", help="all figures, for programs")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print the scores."""
    from sermtl.scoring.label_tables import read_pair
    from sermtl.scoring.scores import set_scores
    from sermtl.scoring.tables import per_class, summary

    predicted, notes = read_pair(args.reference, args.hypothesis)
    for note in notes:
        print(f"warning: {note}", file=sys.stderr)
    scores = set_scores([predicted])
    results = {args.hypothesis.stem: scores}
    if args.json:
        print(json.dumps(results, indent=1, ensure_ascii=False))
        return
    print(summary(results))
    if "per_class" in scores:
        print(f"\n{per_class(scores)}")
