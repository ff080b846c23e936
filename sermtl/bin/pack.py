"""Stage 8: pack a trained model as a Hub folder and an archive."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sermtl.documents import read_json
from sermtl.errors import UserError, run_main
from sermtl.model_card import PICTURES, Facts, about_corpus, card
from sermtl.packing import RESULTS, pack, packed_config, push
from sermtl.training import FINAL_WEIGHTS

NO_TEXT = "Whoever trained this model hasn't described the data."


def main(argv: Sequence[str] | None = None) -> None:
    """Pack one experiment, or one fold of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--expdir", type=Path, required=True, help="exp/<tag>")
    parser.add_argument("--fold", default="", help="which fold's model, where there are folds")
    parser.add_argument("--name", required=True, help="of the folder and the archive")
    parser.add_argument("--about", default="", help="Markdown about the training data")
    parser.add_argument("--license", default="", help="of the weights, as the hub names it")
    parser.add_argument("--push_to_hub", default="", help="repository to upload the folder to")
    args = parser.parse_args(argv)
    if args.fold == "all":
        raise UserError("each fold has a model of its own: say which to pack, e.g. --fold 1")
    if args.about and not Path(args.about).is_file():
        raise UserError(f"--about {args.about}: there is no such file")
    experiment = args.expdir / (f"fold{args.fold}" if args.fold else "")
    config = packed_config(experiment)
    results, pictures = _scores(args.expdir, experiment)
    text = card(
        Facts(
            args.name,
            config,
            config["encoder"],
            results,
            about_corpus(Path(args.about)) if args.about else NO_TEXT,
            [file.name for file in pictures],
            args.license or None,
        )
    )
    if not results:
        print(f"note: {experiment} isn't scored (stage 7), so the card has no results")
    target = args.expdir / args.name
    archive = pack(experiment, FINAL_WEIGHTS, target, text, results, pictures)
    print(f"{target}/ and {archive} written")
    if args.push_to_hub:
        print(f"pushed to {push(target, args.push_to_hub)}")


def _scores(*folders: Path) -> tuple[dict[str, Any], list[Path]]:
    """Scores of all folds together, else of this one, and their pictures."""
    for folder in folders:
        if (folder / RESULTS).exists():
            results = read_json(folder / RESULTS, "run stage 7 with --force true")
            files = [folder / f"{kind}_{name}.png" for name in results for kind in PICTURES]
            return results, [file for file in files if file.exists()]
    return {}, []


if __name__ == "__main__":
    run_main(main)
