"""``sermtl compare``: experiments side by side."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sermtl.data.tasks import CLOSED
from sermtl.documents import read_json
from sermtl.errors import UserError
from sermtl.terminal import columns, style

DETAILS = """\
Scores of experiments that stage 7 has scored, in %, with 95 % bootstrap intervals, and how far each
is from the first, with the p of the paired bootstrap (two-sided, not corrected for how many
comparisons there are). Paired tests need the test sets of stage 1, as they were."""
SHOWN = ("macro_f1", "accuracy", "uar", *(f"{task}_accuracy" for task in CLOSED))
SHOWN += ("wer", "speaker_eer")
CERTAIN = 0.05  # of p, which is then shown in bold


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "compare",
        help="experiments side by side, with paired tests",
        description=DETAILS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "experiments",
        nargs="+",
        metavar="EXP",
        type=Path,
        help="exp/<tag>; the first is compared to",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print a table for each test set."""
    folders = {str(path): path for path in args.experiments}
    results = {name: _results(folder) for name, folder in folders.items()}
    against, untold = _against(folders)
    if args.json:
        figures = {
            name: {"results": results[name], "against_first": against.get(name, {})}
            for name in folders
        }
        print(json.dumps(figures, indent=1, ensure_ascii=False))
    else:
        titles = dict.fromkeys(title for of in results.values() for title in of)
        print("\n\n".join("\n".join(_table(title, results, against)) for title in titles))
        others = f"; differences from {next(iter(folders))}" if against else ""
        print(f"\nin %, with 95 % intervals{others}")
    for reason in untold:
        print(f"no paired test: {reason}", file=sys.stderr)


def _against(folders: Mapping[str, Path]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Each experiment's differences from the first by test set, and why there are none."""
    first, *others = folders
    if not others:
        return {}, []
    from sermtl.scoring.comparison import compare
    from sermtl.scoring.options import scored_answers

    against: dict[str, dict[str, Any]] = {}
    untold: list[str] = []
    try:
        answers = scored_answers(folders[first])
    except UserError as error:
        return {}, [str(error)]
    for name in others:  # one after the other: answers of large sets fill memory
        try:
            theirs = scored_answers(folders[name])
            against[name] = {
                title: compare(answers[title], theirs[title])
                for title in answers
                if title in theirs
            }
        except UserError as error:
            untold.append(f"{name}: {error}")
    return against, untold


def _results(folder: Path) -> dict[str, Any]:
    path = folder / "results.json"
    if not path.exists():
        raise UserError(f"{path} is missing: {folder} isn't an experiment that stage 7 has scored")
    return read_json(path, "run stage 7 with --force true")


def _table(
    title: str,
    results: Mapping[str, Mapping[str, Any]],
    against: Mapping[str, Mapping[str, Any]],
) -> Iterator[str]:
    """One test set's lines: an experiment each, and below it its differences."""
    from sermtl.scoring.tables import FIGURES, percent

    scores = {name: of[title] for name, of in results.items() if title in of}
    keys = [key for key in SHOWN if any(key in of for of in scores.values())]
    rows: list[Sequence[str]] = [["", *(FIGURES[key] for key in keys)]]
    surely: list[bool] = [False]
    for name, of in scores.items():
        rows.append([name, *(percent(of[key]) if key in of else "–" for key in keys)])
        surely.append(False)
        if tests := against.get(name, {}).get(title):
            rows.append(["", *(_difference(tests.get(key)) for key in keys)])
            surely.append(any(test["p"] < CERTAIN for test in tests.values()))
    n = next(iter(scores.values()))["n"]
    yield style(f"{title}: {n} utterances with an emotion", "bold")
    for line, bold in zip(columns(rows).splitlines(), surely, strict=True):
        yield style(line, "bold") if bold else line


def _difference(test: Mapping[str, Any] | None) -> str:
    if test is None:
        return ""
    p = f"p {test['p']:.3f}" if test["p"] >= 0.001 else "p < .001"
    return f"{100 * test['difference']['value']:+.1f}, {p}"
