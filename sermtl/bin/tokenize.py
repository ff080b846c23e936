"""Stage 3: learn the CTC tokens of each run's training transcripts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sermtl.data.datadir import read_column
from sermtl.data.splits import Run, resolve_splits
from sermtl.data.text import normalize_text
from sermtl.data.tokens import Tokenizer
from sermtl.data.utterance import UNKNOWN
from sermtl.errors import run_main
from sermtl.files import exclusive
from sermtl.options import positive_int
from sermtl.stage import Stage


def main(argv: Sequence[str] | None = None) -> None:
    """Write ``<tokensdir>[/fold<K>]`` where transcripts or options changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dumpdir", type=Path, required=True)
    parser.add_argument("--datadir", type=Path, required=True)
    parser.add_argument("--tokensdir", type=Path, required=True)
    parser.add_argument("--train_set", default="")
    parser.add_argument("--fold", default="")
    parser.add_argument("--token_type", choices=["bpe", "char"], default="bpe")
    parser.add_argument("--nbpe", type=positive_int, default=500, help="vocabulary size, at most")
    parser.add_argument("--force", choices=["true", "false"], default="false")
    args = parser.parse_args(argv)
    runs = resolve_splits(args.datadir, args.fold, args.train_set)
    with exclusive(args.tokensdir):
        for run in runs:
            _learn(run, args)


def _learn(run: Run, args: argparse.Namespace) -> None:
    target = args.tokensdir / run.name
    files = [args.dumpdir / name / "text" for name in run.train]
    options = {"token_type": args.token_type, "nbpe": args.nbpe}
    stage = Stage(target / "done.json", options, files)
    title = run.name or " ".join(run.train)
    if stage.is_done() and args.force != "true":
        print(f"{title}: done")
        return
    texts = [
        normalize_text(text)
        for file in files
        for text in read_column(file).values()
        if text != UNKNOWN
    ]
    texts = [text for text in texts if text]
    stage.begin()
    for old in ("tokens.txt", "tokenizer.json", "bpe.model"):
        (target / old).unlink(missing_ok=True)
    if not texts:
        stage.finish([])
        print(f"{title}: no transcripts, so no tokens; ASR is off")
        return
    tokenizer = Tokenizer.train(texts, args.nbpe, args.token_type)
    stage.finish(tokenizer.save(target))
    print(f"{title}: {len(tokenizer.token_list)} tokens from {len(texts)} transcripts")


if __name__ == "__main__":
    run_main(main)
