"""How time and memory of stages 1, 3, 4, 6 and 7 grow with the corpus.

Makes corpora of noise with a manifest for the recipe ``custom``, runs the stages' own commands on
them, and compares the cost of an utterance between sizes. Time is the processor time of a command's
whole process tree, so that other users of the machine count little; memory is the resident set of
its largest process. What every command pays once (imports, the model) is measured on a corpus so
small that nothing else counts, and subtracted. Where an utterance costs so little that the first
size tells nothing, a larger one is the baseline, or there is none. Corpora of the first two sizes
with clips 16 times as long tell what memory each second of audio takes.

    . tools/path.sh
    python tools/benchmark/growth.py [--sizes 250 1000 4000] [--seconds 0.75]
    python tools/benchmark/growth.py --sizes 6250 25000 100000 --seconds 0.1 --repeats 1

The second command is one of many short clips, for stages whose cost is in the labels.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from figures import Figure, add_option, report

from sermtl.data import SAMPLE_RATE
from sermtl.errors import run_main
from sermtl.markdown import table
from sermtl.options import positive_int

ROOT = Path(__file__).resolve().parents[2]
SMALLEST = 40  # utterances; what they cost is what a command costs at all
LONGER = 16  # times, for the growth with the audio
TOLERANCE = 1.25  # of time per utterance: caches miss more in large corpora; n ** 1.1 gives 1.32
NOISE = 0.3  # seconds; what takes less says nothing
AUDIO = 0.1  # of the audio, how much memory may grow with it
STAGES = ["1", "3", "4", "6", "7"]
SPLITS = ["train"] * 5 + ["valid"] + ["test"] * 4  # ten at random
BATCH_SECONDS = 16  # of stage 6: more than the longest clip, and every corpus has a full batch
EMOTIONS = ("angry", "happy", "neutral", "sad")
WORDS = [f"{a}{b}{c}" for a in "bdfgklmn" for b in "aeiou" for c in ("", "n", "st", "ra", "lo")]


@dataclass(frozen=True)
class Cost:
    """What a command took."""

    wall: float  # seconds
    cpu: float  # seconds of all its processes
    peak: int  # bytes, resident, of the largest of them


class Corpus:
    """A corpus of noise, and the folders that the stages fill.

    Args:
        folder: of everything.
        utterances: how many.
        seconds: mean length of a clip; they differ by a third.
    """

    def __init__(self, folder: Path, utterances: int, seconds: float) -> None:
        self.folder, self.utterances = folder, utterances
        self.manifest = folder / "manifest.csv"
        self.data, self.dump, self.exp = (folder / name for name in ("data", "dump", "exp"))
        self.tokens, self.stats = self.dump / "tokens", self.exp / "stats"
        self.model = self.exp / "model"
        (folder / "wav").mkdir(parents=True)
        random = np.random.default_rng(0)
        noise = random.normal(0, 0.1, int(4 * seconds * SAMPLE_RATE))
        words = random.choice(WORDS, 10_000).tolist()
        with open(self.manifest, "w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["path", "emotion", "gender", "speaker", "text", "split", "id"])
            for i in range(utterances):
                path = folder / "wav" / f"{i:06}.wav"
                length = int(seconds * SAMPLE_RATE * random.uniform(2 / 3, 4 / 3))
                start = random.integers(len(noise) - length)
                soundfile.write(path, noise[start : start + length], SAMPLE_RATE)
                speaker = random.integers(max(24, utterances // 20))
                first = random.integers(len(words))
                text = " ".join(words[first : first + random.integers(3, 20)]) or "silence"
                split = SPLITS[random.integers(len(SPLITS))]
                emotion, gender = EMOTIONS[random.integers(len(EMOTIONS))], "fm"[speaker % 2]
                writer.writerow([path, emotion, gender, f"s{speaker}", text, split, f"u{i:06}"])

    def commands(self) -> dict[str, list[str]]:
        """The stages, in the order in which they depend on each other."""
        folders = {"dumpdir": self.dump, "datadir": self.data}
        learnt = {**folders, "train_set": "train"}
        tests = {**folders, "expdir": self.model, "test_sets": "test"}
        inference = {"inference_config": ROOT / "conf" / "infer.yaml"}
        inference |= {"inference_args": f"--batch_seconds {BATCH_SECONDS}"}
        inference |= {"cmd": ROOT / "utils" / "run.pl"}
        words = {
            "1": [
                *_command("prepare", **learnt, recipe="custom", nj=1),
                *("--corpus_args", f"manifest={self.manifest}"),
            ],
            "3": _command("tokenize", **learnt, tokensdir=self.tokens),
            "4": _command("stats", **learnt, valid_set="valid", statsdir=self.stats),
            "6": _command("infer", **tests, **inference),
            "7": _command("score", **tests, train_set="train"),
        }
        return {stage: [*command, "--force", "true"] for stage, command in words.items()}

    def make_model(self) -> None:
        """What training would leave, with random weights."""
        import torch
        import yaml

        from sermtl.data.tokens import Tokenizer
        from sermtl.model.build import build_model
        from sermtl.training.conf import resolve

        tokenizer = Tokenizer.load(self.tokens)
        demo = ROOT / "egs" / "demo" / "conf" / "train.yaml"
        config = resolve([ROOT / "conf" / "train.yaml", demo])
        config["labels"] = json.loads((self.stats / "labels.json").read_text(encoding="utf-8"))
        config["token_list"] = tokenizer.token_list
        tokenizer.save(self.model / "tokens")
        (self.model / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        torch.save(build_model(config).state_dict(), self.model / "final.pth")


def _command(module: str, **options: object) -> list[str]:
    """``python -m sermtl.bin.<module> --<option> <value> …``."""
    words = [sys.executable, "-m", f"sermtl.bin.{module}"]
    for name, value in options.items():
        words += [f"--{name}", str(value)]
    return words


# Between us and a command, since Linux counts a new process's memory from what its parent had.
LAUNCHER = """
import json, resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "w") as stream:
    json.dump([usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024], stream)
sys.exit(code)
"""


def measure(command: Sequence[str], log: Path) -> Cost:
    """Run to the end, with the output in ``log``."""
    used = log.with_suffix(".used")
    begun = time.perf_counter()
    with open(log, "w", encoding="utf-8") as stream:
        launcher = [sys.executable, "-S", "-c", LAUNCHER, str(used)]
        code = subprocess.call([*launcher, *command], stdout=stream, stderr=stream)
    if code:
        raise RuntimeError(f"{' '.join(command)} failed:\n{log.read_text(encoding='utf-8')}")
    wall = time.perf_counter() - begun
    return Cost(wall, *json.loads(used.read_text(encoding="utf-8")))


def run_stages(corpus: Corpus, stages: Sequence[str], repeats: int) -> dict[str, Cost]:
    """Cost of each stage, the run that was disturbed least."""
    costs = {}
    for stage, command in corpus.commands().items():
        if stage == "6":
            corpus.make_model()
        runs = [
            measure(command, corpus.folder / f"stage{stage}.log")
            for _ in range(repeats if stage in stages else 1)
        ]
        costs[stage] = min(runs, key=lambda run: run.cpu)
    return costs


def main() -> None:
    """Run every size, and show how costs grow."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=positive_int, nargs="+", default=[250, 1000, 4000])
    parser.add_argument("--seconds", type=float, default=0.75, help="mean length of a clip")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--repeats", type=positive_int, default=3)
    add_option(parser)
    args = parser.parse_args()
    if len(args.sizes) < 2 or min(args.sizes) <= SMALLEST:
        parser.error(f"--sizes takes two or more, of more than {SMALLEST} utterances")

    with tempfile.TemporaryDirectory() as folder:

        def costs(utterances: int, seconds: float, repeats: int = args.repeats) -> dict[str, Cost]:
            print(f"{utterances:,} utterances of {seconds:g} s", flush=True)
            corpus = Corpus(Path(folder) / "corpus", utterances, seconds)
            try:
                return run_stages(corpus, args.stages, repeats)
            finally:
                shutil.rmtree(corpus.folder)

        # Repeated always: the first run reads programs from the disk.
        fixed = costs(SMALLEST, args.seconds, max(args.repeats, 3))
        growth = Growth(fixed, {n: costs(n, args.seconds) for n in args.sizes})
        fewer, more = args.sizes[:2]
        audio = [costs(n, LONGER * args.seconds) for n in (fewer, more)]
    print(growth.table(args.stages))
    found = [figure for stage in args.stages for figure in growth.figures(stage)]
    for stage in sorted({"1", "6"} & set(args.stages)):
        low, high = (part[stage].peak for part in audio)
        grown = (high - low) / (LONGER * args.seconds * (more - fewer))
        samples = 2 * SAMPLE_RATE  # bytes in a second
        found.append(
            Figure(
                f"stage {stage}: memory that grows with the audio, {more:,} clips of "
                f"{LONGER * args.seconds:g} s",
                f"samples of 16 bit; {low / 1e6:.0f} MB for {fewer:,} clips",
                grown / samples,
                at_most=AUDIO,
            )
        )
    report(found, args.figures)


class Growth:
    """Costs by size and stage, and what an utterance adds to them.

    Args:
        least: of the smallest corpus.
        costs: size -> stage -> cost.
    """

    def __init__(self, least: dict[str, Cost], costs: dict[int, dict[str, Cost]]) -> None:
        self.least, self.costs = least, costs

    def seconds(self, stage: str, size: int) -> float:
        """What a corpus takes beyond the smallest."""
        return self.costs[size][stage].cpu - self.least[stage].cpu

    def each(self, stage: str, size: int) -> float:
        """Seconds per utterance."""
        return self.seconds(stage, size) / (size - SMALLEST)

    def bytes(self, stage: str, size: int) -> float:
        """Of memory, per utterance."""
        grown = self.costs[size][stage].peak - self.least[stage].peak
        return grown / (size - SMALLEST)

    def figures(self, stage: str) -> list[Figure]:
        """The largest size beside the first that tells something."""
        sizes, largest = list(self.costs), max(self.costs)
        memory = Figure(
            f"stage {stage}: memory per utterance, {largest:,} utterances",
            f"{self.least[stage].peak / 1e6:.0f} MB for {SMALLEST}",
            self.bytes(stage, largest) / 1e3,
            unit="kB",
        )
        first = next((n for n in sizes if self.seconds(stage, n) > NOISE), largest)
        if first == largest:
            return [memory]
        time = Figure(
            f"stage {stage}: time per utterance, {largest:,} utterances",
            f"{first:,} utterances: {1e3 * self.each(stage, first):.3g} ms",
            self.each(stage, largest) / self.each(stage, first),
            at_most=TOLERANCE,
        )
        return [time, memory]

    def table(self, stages: Sequence[str]) -> str:
        """All that was measured."""
        header = ["stage", "utterances", "s", "CPU s", "ms each", "MB", "bytes each"]
        rows = []
        for stage in stages:
            cost = self.least[stage]
            rows.append([stage, SMALLEST, cost.wall, cost.cpu, "–", cost.peak / 1e6, "–"])
            for n, costs in self.costs.items():
                cost, extra = costs[stage], (1e3 * self.each(stage, n), self.bytes(stage, n))
                rows.append([stage, n, cost.wall, cost.cpu, extra[0], cost.peak / 1e6, extra[1]])
        return table(
            header, [[f"{c:.3g}" if isinstance(c, float) else str(c) for c in row] for row in rows]
        )


if __name__ == "__main__":
    run_main(main)
