"""Stage 5: train the experiment, one run for each fold, through ESPnet's launcher."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sermtl.data.splits import resolve_splits
from sermtl.errors import run_main
from sermtl.options import natural, positive_int
from sermtl.training.conf import resolve
from sermtl.training.experiment import Experiment, Launcher


def main(argv: Sequence[str] | None = None) -> None:
    """Train what isn't trained yet; refuse an experiment that was begun with something else."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--expdir", type=Path, required=True, help="exp/<tag>")
    parser.add_argument("--statsdir", type=Path, required=True, help="of stage 4")
    parser.add_argument("--tokensdir", type=Path, required=True, help="of stage 3")
    parser.add_argument("--datadir", type=Path, required=True)
    parser.add_argument("--dumpdir", type=Path, required=True)
    parser.add_argument("--train_set", default="")
    parser.add_argument("--valid_set", default="")
    parser.add_argument("--speed_perturb_factors", default="")
    parser.add_argument("--fold", default="", help="a fold's name or all")
    parser.add_argument("--configs", nargs="+", required=True, help="base, recipe, overlays")
    parser.add_argument("--train_args", default="", help="--name value … on top")
    parser.add_argument("--ssl_model", default="", help="encoder in place of the configuration's")
    parser.add_argument("--ngpu", type=natural, default=0)
    parser.add_argument("--num_nodes", type=positive_int, default=1)
    parser.add_argument("--dist_timeout", type=positive_int, help="in place of the configuration's")
    parser.add_argument("--cmd", default="utils/run.pl")
    parser.add_argument("--force", choices=["true", "false"], default="false")
    args = parser.parse_args(argv)

    conf = resolve(args.configs, args.train_args, args.ssl_model)
    experiments = {
        split.name: Experiment(
            args.expdir / split.name,
            conf,
            args.statsdir / split.name,
            args.tokensdir / split.name,
            {
                "train": [args.dumpdir / name for name in split.train],
                "valid": [args.dumpdir / name for name in split.valid],
            },
        )
        for split in resolve_splits(
            args.datadir,
            args.fold,
            args.train_set,
            args.valid_set,
            speed_perturb_factors=args.speed_perturb_factors,
        )
    }
    for experiment in experiments.values():
        experiment.prepare(args.force == "true")
    for name, experiment in experiments.items():
        if experiment.is_trained:
            print(f"{experiment.folder}: already trained")
            continue
        print(f"training {name or args.expdir.name}; details in {experiment.folder}/train.log")
        experiment.train(Launcher(args.cmd, args.ngpu, args.num_nodes, args.dist_timeout))


if __name__ == "__main__":
    run_main(main)
