"""Train and test the proposed system and its ablations, and build the paper's tables."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sermtl import jobs
from sermtl.documents import read_json
from sermtl.errors import UserError, run_main
from sermtl.files import atomic_write
from sermtl.options import positive_int
from sermtl.scoring.ablation import ABLATIONS, PROPOSED, ablation_figures
from sermtl.scoring.options import (
    add_evaluation_options,
    add_label_options,
    answers_of,
    places_of,
    results_folder,
)
from sermtl.scoring.paper_tables import ablations_md, read_published
from sermtl.scoring.provenance import provenance
from sermtl.training.conf import merge, resolve, tag

SCORING = 7  # the stage that the tables need


def main(argv: Sequence[str] | None = None) -> None:
    """Run ``run.sh`` for every system, which skips what is done; then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_evaluation_options(parser)
    add_label_options(parser)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--run_sh", required=True)
    parser.add_argument("--conf_dir", type=Path, required=True, help="holds ablation/")
    parser.add_argument("--train_config", default="", help="overlays of all systems")
    parser.add_argument("--train_args", default="")
    parser.add_argument("--train_tag", default="", help="name of the proposed system")
    parser.add_argument("--ssl_model", default="")
    parser.add_argument("--stop_stage", type=positive_int, default=SCORING)
    parser.add_argument("--skip_eval", choices=["true", "false"], default="false")
    parser.add_argument("rest", nargs="*", help="arguments of run.sh, after --")
    arguments = sys.argv[1:] if argv is None else list(argv)
    args = parser.parse_args(arguments)

    overlays = _overlays(args)
    tags = {name: _tag(name, overlay, args) for name, overlay in overlays.items()}
    for number, (name, overlay) in enumerate(overlays.items(), 1):
        print(f"=== {name} ({number} of {len(overlays)}): {args.expdir / tags[name]}", flush=True)
        given = args.rest[:-1] if args.rest[-1:] == ["--"] else args.rest
        command = [args.run_sh, *given, "--ablations=false"]
        command += [f"--train_config={overlay}", f"--train_tag={tags[name]}"]
        if name != PROPOSED:  # data and statistics are the same for all
            command += ["--skip_data_prep=true"]
        if jobs.run(command):
            raise UserError(
                f"{name} failed, see above; when that is mended, the same command (without "
                "--force) goes on from there, and keeps the systems that are done"
            )
    if args.stop_stage < SCORING or args.skip_eval == "true":
        print(f"the tables need stage {SCORING}")
        return
    _write_tables(tags, args, arguments)


def _overlays(args: argparse.Namespace) -> dict[str, str]:
    """``--train_config`` of each system.

    Raises:
        UserError: if ``--train_args``, which come last, undo an ablation.
    """
    folder = os.path.relpath(args.conf_dir / "ablation")
    if " " in folder:  # as the list of configurations can't hold it
        raise UserError(f"the path {folder} has spaces: start from the project's own folder")
    overlays = {PROPOSED: args.train_config}
    for name in ABLATIONS:
        file = f"{folder}/{name}.yaml"
        conf = resolve([file], args.train_args)
        if merge(conf, resolve([file])) != conf:
            raise UserError(f"--train_args {args.train_args!r} undoes {file}: leave it out")
        overlays[name] = f"{args.train_config} {file}".strip()
    return overlays


def _tag(name: str, overlays: str, args: argparse.Namespace) -> str:
    """The experiment's name: the one that run.sh alone would give this system."""
    if args.train_tag:
        return args.train_tag if name == PROPOSED else f"{args.train_tag}_{name}"
    return tag(overlays.split(), args.train_args, args.ssl_model)


def _write_tables(tags: dict[str, str], args: argparse.Namespace, arguments: list[str]) -> None:
    folders = {name: args.expdir / tag for name, tag in tags.items()}
    parts = places_of(args, folders[PROPOSED], args.train_set)
    runs = list(dict.fromkeys(part.run.name for part in parts))
    proposed = answers_of(args, parts)
    figures, mixing = {}, {}
    for name, folder in folders.items():  # one after the other: answers of large sets fill memory
        results, others = _results(args, folder), None
        if name != PROPOSED:
            others = answers_of(args, places_of(args, folder, args.train_set))
        figures[name] = ablation_figures(results, proposed, others)
        conf = resolve([folder / runs[0] / "conf.yaml"])
        mixing[name] = conf["model_conf"]["layer_mixing"]
    models = {run: folders[PROPOSED] / run for run in runs}
    facts = provenance(models, "sermtl.bin.ablate", arguments)
    published = read_published(args.conf_dir / "published.yaml")
    text = ablations_md(figures, published, args.recipe, mixing, facts)
    target = results_folder(args, folders[PROPOSED])
    with atomic_write(target / "ablations.json") as stream:
        json.dump(figures, stream, indent=1, ensure_ascii=False)
    with atomic_write(target / "ABLATIONS.md") as stream:
        stream.write(text)
    print(text)
    print(f"written: {target}/ABLATIONS.md, ablations.json beside it")


def _results(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    path = results_folder(args, folder) / "results.json"
    if not path.exists():
        raise UserError(f"{path} is missing: this system isn't scored yet (stage 7)")
    return read_json(path, "run stage 7 with --force true")


if __name__ == "__main__":
    run_main(main)
