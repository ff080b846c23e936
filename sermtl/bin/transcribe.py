"""Stage 2: replace the corpus's transcripts by Whisper's, or keep them."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import NoReturn

from sermtl.data.audio import dumped_samples
from sermtl.data.speed_perturbation import original_set
from sermtl.data.splits import resolve_splits
from sermtl.errors import UserError, run_main
from sermtl.files import exclusive
from sermtl.jobs import GOING, device, end_with_stage, started, starter, told, with_gpus
from sermtl.options import natural, positive_int
from sermtl.transcription.dumped_set import DumpedSet
from sermtl.transcription.guards import Guards, parse_temperatures
from sermtl.transcription.normalizers import NORMALIZERS

POLL_SECONDS = 3.0


def main(argv: Sequence[str] | None = None) -> None:
    """Transcribe sets through parallel jobs, or be one of these jobs (``--shard``)."""
    args = build_parser().parse_args(argv)
    _more_options(args)
    guards = Guards(
        parse_temperatures(args.temperatures),
        args.compression_ratio_threshold,
        args.logprob_threshold,
        args.no_speech_threshold,
    )
    sets = [DumpedSet(Path(args.dumpdir) / name) for name in _names(args)]
    if args.shard is not None:
        end_with_stage()
        transcribe_shard(args, sets, guards)
        return
    with exclusive(args.dumpdir):
        if args.whisper_model == "none":
            keep_corpus_transcripts(sets)
        else:
            transcribe(args, sets, guards)


def _names(args: argparse.Namespace) -> list[str]:
    """The sets to see to: all, but a model transcribes only those that are used."""
    if args.sets:
        return args.sets.split()
    there = sorted(path.parent.name for path in Path(args.dumpdir).glob("*/wav.scp"))
    if not there:
        raise UserError(f"{args.dumpdir} holds no dumped set: run stage 1 (data preparation) first")
    if args.whisper_model == "none" or not args.datadir:
        return there
    if args.fold:
        runs = resolve_splits(args.datadir, args.fold)
        used = {name for run in runs for name in (*run.train, *run.valid, *run.test)}
    else:
        used = {*args.train_set.split(), *args.valid_set.split(), *args.test_sets.split()}
    known = {path.parent.name for path in Path(args.datadir).glob("*/utt2emo")}
    if lost := used & known - set(there):
        scp = Path(args.dumpdir) / min(lost) / "wav.scp"
        raise UserError(f"{scp} is missing: run stage 1 (data preparation) first")
    names = [name for name in there if (original_set(name) or (name,))[0] in used]
    if not names:
        raise UserError(
            f"{args.dumpdir} has none of the sets {', '.join(sorted(used))}, only "
            f"{', '.join(there)}: see --train_set, --valid_set, --test_sets"
        )
    return names


def build_parser() -> argparse.ArgumentParser:
    """Options of the stage and of its jobs."""
    parser = argparse.ArgumentParser(
        prog="python -m sermtl.bin.transcribe",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--dumpdir", default="dump", help="folder of the dumped sets")
    add("--sets", default="", help="names separated by spaces, in place of those that are used")
    add("--datadir", default="", help="of the recipe; without it, all sets of the dump are used")
    for name in ("train_set", "valid_set", "test_sets"):
        add(f"--{name}", default="", help="sets that are used, of a recipe without folds")
    add("--fold", default="", help="a fold's name or all")
    add(
        "--whisper_model",
        default="none",
        help="released model's name (tiny.en, large-v3, ...), path of a checkpoint in OpenAI's "
        "format, or none to keep the corpus's transcripts",
    )
    add("--whisper_language", default="auto", help="Whisper's code (en, ...), or auto to detect it")
    _add_decoding_options(parser)
    add("--nj", type=positive_int, default=1, help="parallel jobs")
    add("--ngpu", type=natural, default=0, help="GPUs of a machine, one for each job; 0: on CPUs")
    add("--cmd", default="utils/run.pl", help="launcher of the jobs, with Kaldi's interface")
    add(
        "--force",
        choices=("true", "false"),
        nargs="?",
        const="true",
        default="false",
        help="transcribe again what is transcribed",
    )
    add("--whisper_args", default="", help="more options of decoding, as one text")
    add("--shard", type=positive_int, help="be job number SHARD of --nj (the launcher's use)")
    return parser


def _add_decoding_options(parser: argparse.ArgumentParser) -> None:
    """Those that ``--whisper_args`` may hold."""
    add = parser.add_argument
    add(
        "--temperatures",
        default=" ".join(f"{temperature:g}" for temperature in Guards.temperatures),
        help="tried in turn until the text passes the guards; greedy at 0, then sampled",
    )
    add(
        "--compression_ratio_threshold",
        type=float,
        default=Guards.compression_ratio_threshold,
        help="guard: a text that zlib shrinks more is repetitive; inf lets all pass",
    )
    add(
        "--logprob_threshold",
        type=float,
        default=Guards.logprob_threshold,
        help="guard: a text with a lower mean log-probability per token is improbable",
    )
    add(
        "--no_speech_threshold",
        type=float,
        default=Guards.no_speech_threshold,
        help="an improbable text with a higher probability of no speech is silence",
    )
    add(
        "--text_normalizer",
        choices=NORMALIZERS,
        default="auto",
        help="form of the text to learn from; english: Whisper's normaliser (no fillers, no words "
        "in brackets, numbers as digits), plain: lower-case words, auto: english where the "
        "language is English, else plain",
    )
    add("--batch_size", type=positive_int, default=16, help="clips decoded at once")


class _WhisperArgs(argparse.ArgumentParser):
    """Tells mistakes as the user's, whose options run.sh hands on."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"--whisper_args: {message} (as in --logprob_threshold=-1)")


def _more_options(args: argparse.Namespace) -> None:
    """Lay the options of ``--whisper_args`` on the others."""
    try:
        words = shlex.split(args.whisper_args)
    except ValueError as error:
        raise UserError(f"--whisper_args {args.whisper_args!r}: {error}") from error
    parser = _WhisperArgs(add_help=False, allow_abbrev=False)
    _add_decoding_options(parser)
    parser.parse_args(words, args)


def keep_corpus_transcripts(sets: Sequence[DumpedSet]) -> None:
    """Leave the corpus's transcripts in place, or put them back, and say so."""
    restored = [dumped.name for dumped in sets if dumped.restore()]
    print(
        "Whisper is off (--whisper_model none): the corpus's transcripts are kept"
        + (f"; put back from text.corpus in {', '.join(restored)}" if restored else "")
    )


def transcribe(args: argparse.Namespace, sets: Sequence[DumpedSet], guards: Guards) -> None:
    """Bring every set to the state asked for; finished sets and clips are not done again."""
    model = args.whisper_model
    checkpoint = []
    if Path(model).is_file():
        # Absolute, so that the same file from another folder finds its work done.
        model = args.whisper_model = str(Path(model).resolve())
        checkpoint = [Path(model)]
    elif len(Path(model).parts) > 1 or Path(model).suffix == ".pt":
        raise UserError(f"--whisper_model {model}: no such file")
    decoding = {"model": model, "language": args.whisper_language, **asdict(guards)}
    force = args.force == "true"

    pending = []
    for dumped in sets:
        begun, done = dumped.stages(decoding, checkpoint, args.text_normalizer)
        if done.is_done() and dumped.is_transcribed() and not force:
            print(f"{dumped.folder}: already transcribed by {model}")
        else:
            dumped.begin(begun, afresh=force)
            pending.append((dumped, done))
    if any(len(dumped.clips) > len(dumped.finished()) for dumped, _ in pending):
        if not checkpoint:
            from sermtl.transcription.whisper import find_checkpoint

            find_checkpoint(model)  # one download, not one by every job at once
        run_jobs(args, [dumped for dumped, _ in pending])
    for dumped, done in pending:
        print(f"{dumped.folder}: {dumped.publish(args.text_normalizer)}; see {dumped.report.name}")
        done.finish(dumped.outputs)


def run_jobs(args: argparse.Namespace, sets: Sequence[DumpedSet]) -> None:
    """Run the jobs through the launcher, showing how many clips are finished."""
    from tqdm import tqdm

    clips = sum(len(dumped.clips) for dumped in sets)
    jobs = min(args.nj, sum(len(dumped.batches(args.batch_size)) for dumped in sets))
    jobs = with_gpus(jobs, args.ngpu, args.cmd)
    logs = Path(args.dumpdir) / "log"
    logs.mkdir(parents=True, exist_ok=True)
    command = [
        *starter(args.cmd),
        *(["--gpu", "1"] if args.ngpu else []),
        f"JOB=1:{jobs}",
        f"{logs}/transcribe.JOB.log",
        *(sys.executable, "-m", "sermtl.bin.transcribe", "--shard", "JOB", "--nj", str(jobs)),
        *("--dumpdir", args.dumpdir, "--sets", " ".join(dumped.name for dumped in sets)),
        *("--whisper_model", args.whisper_model, "--whisper_language", args.whisper_language),
        *("--batch_size", str(args.batch_size), "--ngpu", str(args.ngpu)),
        # One word each: argparse takes "-inf" for an option.
        *(f"--{field.name}={getattr(args, field.name)}" for field in fields(Guards)),
    ]

    def count() -> int:
        return sum(dumped.count_finished() for dumped in sets)

    with (
        started(command) as launcher,
        tqdm(total=clips, initial=count(), unit="clip", desc="whisper") as bar,
    ):
        while launcher.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                launcher.wait(POLL_SECONDS)
            bar.update(count() - bar.n)
    if launcher.returncode != 0:
        reason = told(logs / f"transcribe.{job}.log" for job in range(1, jobs + 1)).removeprefix(
            "error: "
        )
        raise UserError(
            f"Whisper failed after {count()} of {clips} clips, which are kept: "
            f"{reason or 'the logs may tell why'} ({logs}/transcribe.*.log)"
        )


def transcribe_shard(args: argparse.Namespace, sets: Sequence[DumpedSet], guards: Guards) -> None:
    """Transcribe one job's unfinished clips of every set."""
    if args.shard > args.nj:
        raise UserError(f"--shard {args.shard}: there are only {args.nj} (--nj)")
    with ExitStack() as stack:
        for dumped in sets:  # the job of a run that was killed may still be at work
            stack.enter_context(exclusive(dumped.work, dumped.lock(args.shard), GOING))
        shards = [(dumped, dumped.unfinished(batches)) for dumped, batches in _dealt(args, sets)]
        if any(work for _, work in shards):
            _transcribe_clips(args, shards, guards)
        else:
            print("nothing left to transcribe in this shard")


def _dealt(
    args: argparse.Namespace, sets: Sequence[DumpedSet]
) -> Iterator[tuple[DumpedSet, list[list[str]]]]:
    """One job's batches of every set; the first batch of a set goes to the job whose turn it is."""
    dealt = 0
    for dumped in sets:
        batches = dumped.batches(args.batch_size)
        yield dumped, batches[(args.shard - 1 - dealt) % args.nj :: args.nj]
        dealt += len(batches)


def _transcribe_clips(
    args: argparse.Namespace,
    shards: Sequence[tuple[DumpedSet, list[tuple[list[str], list[str]]]]],
    guards: Guards,
) -> None:
    import torch
    from tqdm import tqdm

    from sermtl.transcription.records import append, open_log
    from sermtl.transcription.whisper import Transcriber

    torch.set_num_threads(1)  # sums come out alike however many jobs there are
    where = device(args.ngpu, args.shard)
    transcriber = Transcriber(args.whisper_model, args.whisper_language, where, guards)
    clips = sum(len(missing) for _, work in shards for _, missing in work)
    with tqdm(total=clips, unit="clip", mininterval=1.0) as bar:
        for dumped, work in shards:
            with open_log(dumped.shard_file(args.shard)) as log:
                for batch, missing in work:
                    samples = {clip: dumped_samples(dumped.clips[clip]) for clip in batch}
                    for transcript in transcriber(samples, missing):
                        append(log, transcript)
                        bar.update()


if __name__ == "__main__":
    run_main(main)
