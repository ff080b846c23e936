"""How much audio the input pipeline delivers, beside what training takes.

Makes a data directory of noise as long as MSP-Podcast's clips and iterates over epochs exactly as
training does: Kaldi archives, ESPnet's readers, our preprocessing, batches and padding, and
PyTorch's worker processes. One baseline is ESPnet's own dataset and padding, which hand over
float32. Another is what training takes: measured, a step of the paper's system with a one-layer
encoder, which is far cheaper than the real one; and computed for data-centre GPUs, the operations
that a second of audio costs in training with WavLM-large and an assumed share of the card's peak.
On a machine with fewer cores than processes these wait for each other; so the rate that follows
from their processor time, with a core for each, is shown, too.

    . tools/path.sh
    python tools/benchmark/input_pipeline.py [--workers 0 1 2 4] [--ngpu 1]
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import active_children
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import figures
import numpy as np
import paper_system
import torch
import yaml
from espnet2.train.distributed_utils import DistributedOption
from torch.nn.utils.rnn import pad_sequence

from sermtl.data import SAMPLE_RATE
from sermtl.data.archive import append
from sermtl.data.audio import FULL_SCALE
from sermtl.data.datadir import write_column
from sermtl.data.preprocessor import PAD_TOKEN
from sermtl.data.tasks import LABEL_FILES
from sermtl.data.tokens import Tokenizer
from sermtl.errors import run_main
from sermtl.jobs import device as device_of
from sermtl.options import positive_int
from sermtl.training.conf import resolve
from sermtl.training.task import EpochIterFactory, SERTask

CLIPS, COPIES = 256, 8  # different clips, and how often an epoch has each
PEAKS = {"A100": 312e12, "H100": 989e12}  # bfloat16 FLOP/s by their data sheets
SHARE = 0.4  # of the peak, reached in training: at best
AIM = 5.0  # times what the GPU takes
LABELS = {"emotions": list("AHSUFDCN"), "genders": ["female", "male"], "speakers": ["s0", "s1"]}
FILES = {"speech": "wav.scp", **LABEL_FILES}
TEXT = "so what i mean is that people don't really say it"


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2, 4])
    parser.add_argument("--ngpu", type=int, default=0, choices=[0, 1])
    parser.add_argument("--repeats", type=positive_int, default=3)
    figures.add_option(parser)
    args = parser.parse_args()
    device = device_of(args.ngpu)

    model = paper_system.build(1, "float32").train().to(device)
    adam = paper_system.optimizer(model, fused=True)
    data = paper_system.batch(paper_system.durations(16), device)
    with tempfile.TemporaryDirectory() as folder:
        make_data(Path(folder))
        epochs = {w: Epoch(Path(folder), w, args.ngpu) for w in args.workers}
        plain = Epoch(Path(folder), args.workers[-1], args.ngpu, plain=True)
        works: dict[str, Any] = {str(workers): epoch for workers, epoch in epochs.items()}
        works |= {"plain": plain, "step": lambda: paper_system.step(model, adam, data)}
        taken = figures.in_turn(works, args.repeats, figures.waiting_for(device))
    trained = float(data["speech_lengths"].sum()) / SAMPLE_RATE / np.array(taken["step"])
    report(epochs, plain, trained, figures.machine(device), args.figures)


def report(
    epochs: dict[int, Epoch],
    plain: Epoch,
    trained: np.ndarray,
    where: str,
    file: Path | None,
) -> None:
    """Show rates, and how the last ones compare with what training takes."""
    found = [
        figures.Figure(
            f"{what}; {workers} workers, {where}", "", **figures.spread(rates), unit=unit
        )
        for workers, epoch in epochs.items()
        for what, unit, rates in (
            ("input, audio", "s/s", epoch.rates),
            ("input, utterances", "/s", [rate / epoch.mean_seconds for rate in epoch.rates]),
        )
    ]
    workers, epoch = list(epochs.items())[-1]
    where = f"{workers} workers, {where}"

    def beside(what: str, baseline: str, slow: list[float], aim: float | None = None) -> None:
        for how, of in (("", epoch.rates), (", by processor time", epoch.possible)):
            ratios = [a / b for a, b in zip(of, slow, strict=True)]
            found.append(
                figures.Figure(
                    f"{what}{how}; {where}", baseline, **figures.spread(ratios), at_least=aim
                )
            )

    rate = f"{np.median(plain.rates):.3g} s/s"
    beside("input, audio", f"ESPnet's dataset and padding: {rate}", plain.rates)
    found.pop()  # two rates of different kinds
    rate = f"{np.median(trained):.3g} s/s"
    beside("input, times what training takes", f"one-layer encoder: {rate}", list(trained))
    needed = operations_per_second()
    for name, peak in PEAKS.items():
        takes = SHARE * peak / needed
        baseline = f"computed, {SHARE:.0%} of its peak in bf16: {takes:.4g} s/s"
        beside(f"input, times what an {name} takes", baseline, [takes] * len(epoch.rates), AIM)
    found.append(
        figures.Figure(
            f"memory of a worker; {where}",
            f"ESPnet's dataset and padding: {plain.memory / 1e6:.0f} MB",
            epoch.memory / plain.memory if plain.memory else 0.0,
            at_most=1.0,
        )
    )
    figures.report(found, file)


def operations_per_second() -> float:
    """Of training the paper's system on a second of audio."""
    with torch.device("meta"):
        model = paper_system.build(24, "bfloat16")
    seconds = paper_system.durations(1000)
    return sum(paper_system.operations(model, s, True) for s in seconds) / sum(seconds)


class Epoch:
    """Epochs of the training set; calling runs the next one.

    Args:
        folder: from `make_data`.
        workers: processes that read.
        ngpu: with a GPU, batches are put into pinned memory and sent there.
        plain: with ESPnet's dataset and padding.
    """

    def __init__(self, folder: Path, workers: int, ngpu: int, plain: bool = False) -> None:
        conf = resolve([Path(__file__).parents[2] / "conf" / "train.yaml"])
        conf |= {"num_workers": workers, "ngpu": ngpu}
        (folder / "conf.yaml").write_text(yaml.safe_dump(conf), encoding="utf-8")
        options = ["--config", str(folder / "conf.yaml"), "--output_dir", str(folder / "exp")]
        options += ["--labels", str(folder / "labels.json"), "--token_dir", str(folder / "tokens")]
        for name, file in FILES.items():
            kind = "kaldi_ark" if name == "speech" else "text"
            options += ["--train_data_path_and_name_and_type", f"{folder / file},{name},{kind}"]
        options += ["--train_shape_file", str(folder / "speech_shape")]
        args = SERTask.get_parser().parse_args(options)
        self.factory = SERTask.build_iter_factory(args, DistributedOption(), "train")
        if plain:
            _make_plain(self.factory, args)
        self.workers = workers
        self.rates: list[float] = []  # seconds of audio per second
        self.possible: list[float] = []  # with a core for each process
        self.memory = 0  # bytes, of a worker, at most
        self.mean_seconds = 0.0  # of a clip
        self.epoch = 0

    def __call__(self) -> None:
        self.epoch += 1
        batches = iter(self.factory.build_iter(self.epoch))
        next(batches)  # the workers have begun
        begun, busy, spent = perf_counter(), process_time(), _of_children()
        seconds, clips = 0.0, 0
        for number, (ids, batch) in enumerate(batches):
            seconds += int(batch["speech_lengths"].sum()) / SAMPLE_RATE
            clips += len(ids)
            if self.epoch == 1 and number % 16 == 0:  # it takes its time
                self.memory = max([self.memory, *map(own_memory, active_children())])
        taken = [process_time() - busy]
        if self.workers:
            taken.append((_of_children() - spent) / self.workers)
        if self.epoch == 1:
            return  # warms up
        self.rates.append(seconds / (perf_counter() - begun))
        self.possible.append(seconds / max(taken))
        self.mean_seconds = seconds / clips


def _make_plain(factory: EpochIterFactory, args: argparse.Namespace) -> None:
    """Put ESPnet's dataset in the place of ours, and tensors of float32 and int64 in batches."""
    preprocess = factory.dataset.preprocess
    options = SERTask.build_iter_options(args, DistributedOption(), "train")
    dataset = SERTask.build_dataset(args, options)

    def floats(utt_id: str, data: Mapping[str, Any]) -> dict[str, np.ndarray]:
        sample = preprocess(utt_id, data)
        return {**sample, "speech": sample["speech"] / np.float32(FULL_SCALE)}

    floats.epoch = 0
    dataset.preprocess, factory.dataset, factory.collate_fn = floats, dataset, pad


def pad(samples: Sequence[tuple[str, dict[str, np.ndarray]]]) -> tuple[list[str], dict[str, Any]]:
    """As ESPnet does it: each value and its lengths are tensors."""
    ids, rows = zip(*samples, strict=True)
    batch: dict[str, torch.Tensor] = {}
    for name in rows[0]:
        values = [torch.from_numpy(row[name]) for row in rows]
        if values[0].dim():
            batch[f"{name}_lengths"] = torch.tensor([len(value) for value in values])
            batch[name] = pad_sequence(values, True, PAD_TOKEN if name == "text" else 0.0)
        else:
            batch[name] = torch.stack(values)
    return list(ids), batch


def _of_children() -> float:
    """Processor time of processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def own_memory(process: BaseProcess) -> int:
    """Bytes that a process doesn't share with the one that it was forked from."""
    lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Private_"))


def make_data(folder: Path) -> None:
    """What stages 3 and 4 leave for training: different clips, each under several names."""
    random = np.random.default_rng(0)
    places, samples = {}, {}
    with open(folder / "wav.ark", "wb") as stream:
        for i, seconds in enumerate(paper_system.durations(CLIPS)):
            clip = random.integers(-3000, 3000, round(seconds * SAMPLE_RATE)).astype(np.int16)
            place = append(stream, folder / "wav.ark", f"u{i}", (SAMPLE_RATE, clip))
            for copy in range(COPIES):
                places[f"u{i}_{copy}"], samples[f"u{i}_{copy}"] = place, str(len(clip))
    columns = {"wav.scp": places, "speech_shape": samples, "text": dict.fromkeys(places, TEXT)}
    for task, labels in LABELS.items():
        file = FILES[task.removesuffix("s")]
        columns[file] = {u: labels[i % len(labels)] for i, u in enumerate(places)}
    for file, values in columns.items():
        write_column(folder / file, values)
    counts = {"counts": {"emotion": dict.fromkeys(LABELS["emotions"], 1)}}
    (folder / "labels.json").write_text(json.dumps({**LABELS, **counts}), encoding="utf-8")
    Tokenizer.train([TEXT], 500, "char").save(folder / "tokens")


if __name__ == "__main__":
    run_main(main)
