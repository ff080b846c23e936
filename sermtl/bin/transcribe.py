"""Stage 2: replace the corpus's transcripts by Whisper's, or keep them."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sermtl.data.audio import dumped_samples
from sermtl.errors import UserError, run_main
from sermtl.jobs import device, started, starter
from sermtl.transcription.dumped_set import DumpedSet

POLL_SECONDS = 3.0


def main(argv: Sequence[str] | None = None) -> None:
    """Transcribe sets through parallel jobs, or be one of these jobs (``--shard``)."""
    args = build_parser().parse_args(argv)
    names = args.sets.split() or sorted(p.parent.name for p in Path(args.dumpdir).glob("*/wav.scp"))
    if not names:
        raise UserError(f"{args.dumpdir} holds no dumped set: run stage 1 (data preparation) first")
    sets = [DumpedSet(Path(args.dumpdir) / name) for name in names]
    if args.whisper_model == "none":
        keep_corpus_transcripts(sets)
    elif args.shard is not None:
        transcribe_shard(args, sets)
    else:
        transcribe(args, sets)


def build_parser() -> argparse.ArgumentParser:
    """Options of the stage and of its jobs."""
    parser = argparse.ArgumentParser(
        prog="python -m sermtl.bin.transcribe",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--dumpdir", default="dump", help="folder of the dumped sets")
    add("--sets", default="", help="names separated by spaces; all in the dump if not given")
    add(
        "--whisper_model",
        default="none",
        help="released model's name (tiny.en, large-v3, ...), path of a checkpoint in OpenAI's "
        "format, or none to keep the corpus's transcripts",
    )
    add("--language", default="auto", help="Whisper's code (en, pl, ...), or auto to detect it")
    add("--batch_size", type=_positive, default=16, help="clips decoded at once")
    add("--nj", type=_positive, default=1, help="parallel jobs")
    add("--ngpu", type=int, default=0, help="0: on CPUs; otherwise every job uses one GPU")
    add("--cmd", default="utils/run.pl", help="launcher of the jobs, with Kaldi's interface")
    add(
        "--force",
        choices=("true", "false"),
        nargs="?",
        const="true",
        default="false",
        help="transcribe again what is transcribed",
    )
    add("--shard", type=_positive, help="be job number SHARD of --nj (the launcher's use)")
    return parser


def _positive(value: str) -> int:
    number = int(value)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{value} is not positive")
    return number


def keep_corpus_transcripts(sets: Sequence[DumpedSet]) -> None:
    """Leave the corpus's transcripts in place, or put them back, and say so."""
    restored = [dumped.name for dumped in sets if dumped.restore()]
    print(
        "Whisper is off (--whisper_model none): the corpus's transcripts are kept"
        + (f"; put back from text.corpus in {', '.join(restored)}" if restored else "")
    )


def transcribe(args: argparse.Namespace, sets: Sequence[DumpedSet]) -> None:
    """Bring every set to the state asked for; finished sets and clips are not done again."""
    model = args.whisper_model
    checkpoint = []
    if Path(model).is_file():
        # Absolute, so that the same file from another folder finds its work done.
        model = args.whisper_model = str(Path(model).resolve())
        checkpoint = [Path(model)]
    elif len(Path(model).parts) > 1 or Path(model).suffix == ".pt":
        raise UserError(f"--whisper_model {model}: no such file")
    options = {"model": model, "language": args.language}
    force = args.force == "true"

    pending = []
    for dumped in sets:
        begun, done = dumped.stages(options, checkpoint)
        if done.is_done() and not force:
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
        print(f"{dumped.folder}: {dumped.publish()}")
        done.finish([dumped.text, dumped.corpus_text, dumped.merged])


def run_jobs(args: argparse.Namespace, sets: Sequence[DumpedSet]) -> None:
    """Run the jobs through the launcher, showing how many clips are finished."""
    from tqdm import tqdm

    clips = sum(len(dumped.clips) for dumped in sets)
    jobs = min(args.nj, max(len(dumped.clips) for dumped in sets))
    logs = Path(args.dumpdir) / "log"
    logs.mkdir(parents=True, exist_ok=True)
    command = [
        *starter(args.cmd),
        *(["--gpu", "1"] if args.ngpu else []),
        f"JOB=1:{jobs}",
        f"{logs}/transcribe.JOB.log",
        *(sys.executable, "-m", "sermtl.bin.transcribe", "--shard", "JOB", "--nj", str(jobs)),
        *("--dumpdir", args.dumpdir, "--sets", " ".join(dumped.name for dumped in sets)),
        *("--whisper_model", args.whisper_model, "--language", args.language),
        *("--batch_size", str(args.batch_size), "--ngpu", str(args.ngpu)),
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
        raise UserError(
            f"Whisper failed after {count()} of {clips} clips, which are kept; the reason is in "
            f"{logs}/transcribe.*.log"
        )


def transcribe_shard(args: argparse.Namespace, sets: Sequence[DumpedSet]) -> None:
    """Transcribe one job's unfinished clips of every set."""
    from tqdm import tqdm

    if args.shard > args.nj:
        raise UserError(f"--shard {args.shard}: there are only {args.nj} (--nj)")
    shards = [(dumped, dumped.shard(args.shard, args.nj)) for dumped in sets]
    clips = sum(len(shard) for _, shard in shards)
    if not clips:
        print("nothing left to transcribe in this shard")
        return

    from sermtl.transcription.records import append, open_log
    from sermtl.transcription.whisper import Transcriber

    transcriber = Transcriber(args.whisper_model, args.language, device(args.ngpu, args.shard))
    with tqdm(total=clips, unit="clip", mininterval=1.0) as bar:
        for dumped, shard in shards:
            dumped.work.mkdir(exist_ok=True)
            with open_log(dumped.shard_file(args.shard)) as log:
                for start in range(0, len(shard), args.batch_size):
                    batch = shard[start : start + args.batch_size]
                    samples = {clip: dumped_samples(dumped.clips[clip]) for clip in batch}
                    append(log, transcriber(samples))
                    bar.update(len(batch))


if __name__ == "__main__":
    run_main(main)
