"""Stage 6: the model's answers for every utterance of the test sets."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sermtl import jobs
from sermtl.data.audio import audio_files, read_dump
from sermtl.errors import UserError, run_main
from sermtl.files import exclusive
from sermtl.inference import DONE, batches, merge
from sermtl.options import DTYPES, natural, positive_int
from sermtl.scoring.options import add_evaluation_options, places_of
from sermtl.stage import Stage
from sermtl.training import CHECKPOINT, SPARE_CHECKPOINT
from sermtl.training.conf import resolve

CHECKPOINTS = (CHECKPOINT, SPARE_CHECKPOINT)  # which hold more than weights
OPTIONS = {"weights", "batch_seconds", "window", "dtype"}  # of an inference conf


def main(argv: Sequence[str] | None = None) -> None:
    """Infer what isn't inferred yet, each set in parallel jobs."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_evaluation_options(parser)
    parser.add_argument("--inference_config", required=True)
    parser.add_argument("--inference_args", default="", help="--name value … on top")
    parser.add_argument("--inference_nj", type=positive_int, default=1, help="parallel jobs")
    parser.add_argument(
        "--ngpu", type=natural, default=0, help="GPUs of a machine, one for each job"
    )
    parser.add_argument("--cmd", default="utils/run.pl")
    parser.add_argument("--force", choices=["true", "false"], default="false")
    args = parser.parse_args(argv)

    conf = resolve([args.inference_config], args.inference_args, option="--inference_args")
    _check(conf, args.inference_config)
    for place in places_of(args, args.expdir):
        _infer(args.expdir / place.run.name, place.dump, place.folder, conf, args)


def _check(conf: dict[str, Any], file: str) -> None:
    """Refuse options that would be ignored, and values that make no sense."""
    if conf.keys() != OPTIONS:
        odd = sorted(conf.keys() ^ OPTIONS)
        known = ", ".join(sorted(OPTIONS))
        raise UserError(f"{file} and --inference_args: the options are {known}; see {odd[0]!r}")
    for name in ("batch_seconds", "window"):
        if not isinstance(conf[name], int | float) or not conf[name] > 0:
            raise UserError(f"{name} must be a positive number, not {conf[name]!r}")
    if conf["dtype"] not in DTYPES:
        raise UserError(f"dtype must be one of {', '.join(DTYPES)}, not {conf['dtype']!r}")


def _infer(
    model: Path, dump: Path, output: Path, conf: dict[str, Any], args: argparse.Namespace
) -> None:
    weights = model / conf["weights"]
    if not weights.exists():
        names = sorted(path.name for path in model.glob("*.pth") if path.name not in CHECKPOINTS)
        there = f", or take others (--inference_args '--weights NAME'): {', '.join(names)}"
        raise UserError(f"{weights} is missing: train to the end (stage 5){there if names else ''}")
    inputs = [weights, model / "config.yaml", *audio_files(dump)]
    work = Stage(output / DONE, {"conf": conf}, inputs)
    if work.is_done() and args.force != "true":
        print(f"{output}: done")
        return
    with exclusive(output):
        dumped = read_dump(dump)
        shards = min(
            jobs.with_gpus(args.inference_nj, args.ngpu, args.cmd),
            len(batches(dumped.lengths, conf["batch_seconds"])),
        )
        begun = Stage(output / "begun.json", {"conf": conf, "shards": shards}, inputs)
        if not begun.is_done():  # parts of other work must not be taken for this one's
            for part in output.glob("part.*"):
                part.unlink()
            begun.finish([])
        work.begin()
        _run_jobs(model, dump, output, conf, args, shards)
        work.finish(merge(output, shards, dumped.ids))
    print(f"{output}/predictions.csv written")


def _run_jobs(
    model: Path,
    dump: Path,
    output: Path,
    conf: dict[str, Any],
    args: argparse.Namespace,
    shards: int,
) -> None:
    command = [
        *jobs.starter(args.cmd),
        *("--gpu", "1" if args.ngpu else "0"),
        f"JOB=1:{shards}",
        str(output / "log" / "infer.JOB.log"),
        *(sys.executable, "-m", "sermtl.bin.infer_shard"),
        *("--model", str(model), "--weights", conf["weights"]),
        *("--dump", str(dump), "--output", str(output)),
        *("--batch_seconds", str(conf["batch_seconds"]), "--window", str(conf["window"])),
        *("--dtype", str(conf["dtype"])),
        *("--shard", "JOB", "--shards", str(shards), "--ngpu", str(args.ngpu)),
    ]
    if jobs.run(command):
        logs = [output / "log" / f"infer.{job}.log" for job in range(1, shards + 1)]
        told = jobs.told(logs).removeprefix("error: ")
        raise UserError(f"inference failed: {told or 'the logs may tell why'} ({output}/log)")


if __name__ == "__main__":
    run_main(main)
