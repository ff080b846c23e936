"""What training costs: arithmetic and memory per second of audio, and the hours that follow.

Builds the paper's system (or another configuration) with random weights of WavLM-large's shape, so
that nothing is downloaded; counts the operations that its linear layers, attention and convolutions
need, and the bytes that are kept for the backward pass; and times whole training steps on clips of
one length beside the bare encoder's forward pass. Hours on a card are those operations divided by
its peak times the share of the peak that is reached. That share is an assumption, and printed as
one. For re-transcription the encoder of Whisper large-v3 is counted; its decoder, which waits for
memory rather than arithmetic, is not.

    . tools/path.sh
    python tools/benchmark/training_cost.py [--device cuda] [--clips 16] [--layers 24] \\
        [--dtype bfloat16] [--train_config conf/ablation/ser_only.yaml] [--train_args "..."]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import paper_system
import torch
import whisper
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from sermtl.errors import run_main
from sermtl.model.ser_model import SERModel
from sermtl.options import positive_int

# Published: the paper's sets and epochs, and the mean length of release 1.12 (207,136 speaking
# turns, 324 h 23 min, by its readme).
TRAINED, VALIDATED, TESTED, EPOCHS = 66_992, 25_258, 3_200, 60
SECONDS = 324.38 * 3600 / 207_136
WHISPER_LARGE_V3 = (128, 1500, 1280, 20, 32, 51866, 448, 1280, 20, 32)  # openai-whisper's dims
A100 = {"float32": 19.5e12, "bfloat16": 312e12}  # peak in FLOP/s by its data sheet
# Assumed shares of the peak, at worst and at best. On eight cards each has two of a batch's 16
# clips, and waits for the others.
SHARES = {"float32": {1: (0.5, 0.8), 8: (0.2, 0.4)}, "bfloat16": {1: (0.2, 0.4), 8: (0.08, 0.16)}}


def main() -> None:
    """Measure, and print what follows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--clips", type=positive_int, default=2, help="in a batch")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each clip")
    parser.add_argument("--steps", type=positive_int, default=3)
    parser.add_argument("--layers", type=positive_int, default=24, help="of the encoder")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--train_config", nargs="*", default=[])
    parser.add_argument("--train_args", default="")
    args = parser.parse_args()

    model = paper_system.build(
        args.layers, args.dtype, configs=args.train_config, arguments=args.train_args
    )
    model = model.train().to(args.device)
    batch = paper_system.batch([args.seconds] * args.clips, args.device)
    adam = paper_system.optimizer(model, fused=True)

    def step() -> None:
        paper_system.step(model, adam, batch)

    def encode() -> None:
        # As the model calls it.
        mixed = torch.autocast(args.device, model.dtype, model.dtype != torch.float32)
        with torch.inference_mode(), mixed:
            model.frontend.encode(batch["speech"], batch["speech_lengths"])

    audio = args.clips * args.seconds
    weights = sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    print(f"{weights:,} parameters, {trained:,} of them trained; {model.dtype}")
    print(f"weights, gradients and Adam's moments: {(4 * weights + 12 * trained) / 1e9:.1f} GB")
    alone, together = (
        _kept_bytes(model, paper_system.batch([args.seconds] * clips, args.device))
        for clips in (1, 2)
    )
    kept, always = (together - alone) / args.seconds, 2 * alone - together
    print(
        f"kept for the backward pass: {kept / 1e6:.0f} MB per second of audio, and "
        f"{always / 1e9:.1f} GB whatever the batch"
    )
    operations, forward = (
        paper_system.operations(model, args.seconds, training) / args.seconds
        for training in (True, False)
    )
    print(f"one training step: {operations / 1e9:.0f} GFLOP per second of audio")
    taken, alone = (_seconds(of, args.steps, args.device) for of in (step, encode))
    print(
        f"measured on {args.device}: {audio / taken:.2f} s of audio per second, "
        f"{operations * audio / taken / 1e12:.2f} TFLOP/s; a step takes {taken / alone:.1f} times "
        "the encoder's forward pass (the baseline)"
    )
    total = EPOCHS * SECONDS * (TRAINED * operations + VALIDATED * forward)
    print(
        f"{EPOCHS} epochs of {TRAINED:,} clips to train on and {VALIDATED:,} to validate on, "
        f"{SECONDS:.2f} s each: {total:.2g} FLOP"
    )
    for cards in (1, 8):
        _hours(total, str(model.dtype).removeprefix("torch."), cards)
    window, clips = _whisper_window(), TRAINED + VALIDATED + TESTED
    print(f"Whisper large-v3's encoder: {window / 1e12:.1f} TFLOP per clip; {clips:,} clips:")
    _hours(clips * window, "bfloat16", 1)  # fp16 is as fast


def _hours(operations: float, dtype: str, cards: int) -> None:
    worst, best = SHARES[dtype][cards]
    hours = [operations / (cards * share * A100[dtype]) / 3600 for share in (best, worst)]
    print(
        f"  on {cards} A100, {worst:.0%} to {best:.0%} of {A100[dtype] / 1e12:g} TFLOP/s each "
        f"(assumed): {hours[0]:.1f} to {hours[1]:.1f} h"
    )


def _whisper_window() -> int:
    """Operations of the encoder on one window of 30 s, which every shorter clip is padded to."""
    dims = whisper.ModelDimensions(*WHISPER_LARGE_V3)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:  # shapes, no numbers
        encoder = whisper.model.AudioEncoder(
            dims.n_mels, dims.n_audio_ctx, dims.n_audio_state, dims.n_audio_head, dims.n_audio_layer
        )
        encoder(torch.empty(1, dims.n_mels, 2 * dims.n_audio_ctx))
    return counter.get_total_flops()


def _kept_bytes(model: SERModel, batch: dict[str, torch.Tensor]) -> int:
    """Distinct memory that autograd holds on to after the forward pass, without the weights."""
    if batch["speech"].device.type != "cpu":  # attention's own hooks there hide what it keeps
        before = torch.cuda.memory_allocated()
        loss = model(**batch)[0]
        size = torch.cuda.memory_allocated() - before
        del loss
        return size
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        loss, _, _ = model(**batch)
    del loss
    return sum(kept.values())


def _seconds(work: Callable[[], None], steps: int, device: str) -> float:
    """Of one step, the median."""
    times = []
    for _ in range(steps):
        begun = time.perf_counter()
        work()
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begun)
    return sorted(times)[len(times) // 2]


if __name__ == "__main__":
    run_main(main)
