"""Whether the fast encoder learns what transformers' own forward learns: the demo, trained by both.

Each way trains the demo's model on the prepared demo corpus with the same seeds (prepare it with
`./run.sh --stop_stage 4`), in fp32 through transformers' ``forward`` and through ours, and ours in
bfloat16; without dropout, since transformers draws random numbers in another order. Shown are the
differences of training losses and validation scores, seed by seed, in the first epoch and in the
mean over all, and, to judge them by, how far apart two seeds of the baseline are.

    . tools/path.sh
    python tools/benchmark/same_curve.py [--seeds 0 1 2] [--output FOLDER]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from itertools import combinations, product
from pathlib import Path
from tempfile import TemporaryDirectory

import figures
import numpy as np

from sermtl.errors import UserError, run_main
from sermtl.options import positive_int
from sermtl.training import conf
from sermtl.training.experiment import Experiment

WAYS = {  # name: type, transformers' forward?
    "transformers, fp32": ("float32", True),
    "ours, fp32": ("float32", False),
    "ours, bf16": ("bfloat16", False),
}
CURVES = {"training loss": ("train", "loss"), "validation macro-F1": ("valid", "macro_f1")}
SPANS = {1: "first epoch", None: "mean over epochs"}
DEMO = Path("egs/demo")
STATS, TOKENS = DEMO / "exp/stats_train_valid", DEMO / "dump/tokens/train_valid_bpe100"


def main() -> None:
    """Train what isn't trained yet in the output folder, and compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=positive_int, default=25)
    parser.add_argument("--output", type=Path, help="keep the experiments there; else they go")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    figures.add_option(parser)
    args = parser.parse_args()
    if args.one:
        _train(args.one[0], int(args.one[1]), args.epochs, Path(args.one[2]))
        return
    if not STATS.exists():
        raise UserError(f"{STATS} is missing: run ./run.sh --stop_stage 4 first")
    with TemporaryDirectory() as temporary:
        output = args.output or Path(temporary)
        curves = {
            way: [_curves(way, seed, args.epochs, output) for seed in args.seeds] for way in WAYS
        }
    baseline, *others = WAYS
    found = []
    for curve, (epochs, span) in product(CURVES, SPANS.items()):
        values = {way: [run[curve][:epochs] for run in runs] for way, runs in curves.items()}
        between = np.mean([_distance(*pair) for pair in combinations(values[baseline], 2)])
        for way in others:
            distances = [
                _distance(*pair) for pair in zip(values[way], values[baseline], strict=True)
            ]
            found.append(
                figures.Figure(
                    f"{curve}, {span}: {way} from {baseline}",
                    f"{baseline}, seeds from each other: {between:.3g}",
                    **figures.spread(distances),
                    unit="",
                    at_most=float(f"{between:.3g}"),
                )
            )
    for way, runs in curves.items():
        best = [max(run["validation macro-F1"]) for run in runs]
        print(f"{way}: best validation macro-F1 {', '.join(f'{100 * b:.1f}' for b in best)}")
    figures.report(found, args.figures)


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).mean())


def _curves(way: str, seed: int, epochs: int, output: Path) -> dict[str, np.ndarray]:
    """Each curve, one value for each epoch."""
    folder = output / f"{way.replace(', ', '_')}_{seed}"
    history = folder / "history.json"
    if not history.exists() or len(json.loads(history.read_text())) < epochs:
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, __file__, "--one", way, str(seed), str(folder)]
        with open(folder / "train.log", "w", encoding="utf-8") as log:
            command += ["--epochs", str(epochs)]
            subprocess.run(command, check=True, stdout=log, stderr=subprocess.STDOUT)
        print(f"{folder.name} trained", flush=True)
    rows = json.loads(history.read_text(encoding="utf-8"))
    return {
        name: np.array([row[phase][key] for row in rows]) for name, (phase, key) in CURVES.items()
    }


def _train(way: str, seed: int, epochs: int, folder: Path) -> None:
    dtype, baseline = WAYS[way]
    from sermtl.model import ssl_frontend
    from sermtl.training.task import SERTask

    if baseline:
        from paper_system import TransformersWavLM

        ssl_frontend.WavLM = TransformersWavLM
    values = conf.resolve(["conf/train.yaml", str(DEMO / "conf/train.yaml")])
    values["model_conf"] |= {"dtype": dtype, "dropout": 0.0}
    values |= {"seed": seed, "max_epoch": epochs, "use_tensorboard": False}
    dumps = {part: [DEMO / "dump" / part] for part in ("train", "valid")}
    experiment = Experiment(folder, values, STATS, TOKENS, dumps)
    experiment.prepare()
    SERTask.main(cmd=[*experiment.arguments(), "--ngpu", "0"])


if __name__ == "__main__":
    run_main(main)
