"""Ways to compute WavLM's gated attention, forwards and backwards, beside writing it out.

The baseline is the formula with all matrices in memory, as transformers computes it. Beside it:
ours (on CPUs clip by clip, elsewhere torch's fused attention with the gated bias as a mask) and, on
a GPU, FlexAttention, compiled, whose score function holds gate and table. FlexAttention knows no
dropout, so there is none here.

    . tools/path.sh
    python tools/benchmark/attention.py [--ngpu 1]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import figures
import paper_system
import torch
from torch import Tensor

from sermtl.errors import run_main
from sermtl.jobs import device as device_of
from sermtl.model.gated_attention import gated_attention
from sermtl.model.ragged import Ragged
from sermtl.model.speech_encoder import attention_kernels
from sermtl.options import positive_int

HEADS, SIZE = 16, 64


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ngpu", type=int, default=0, choices=[0, 1])
    parser.add_argument("--clips", type=positive_int, default=16)
    parser.add_argument("--repeats", type=positive_int, default=5)
    figures.add_option(parser)
    args = parser.parse_args()
    device = device_of(args.ngpu)
    lengths = sorted(int(50 * s) for s in paper_system.durations(64))[:: 64 // args.clips]
    ragged = Ragged(lengths, max(lengths), torch.device(device))
    ways = {"written out": written_out, "ours": ours}
    if device != "cpu":
        ways["FlexAttention"] = flexible(ragged)

    def both_ways(attention: Callable[..., Tensor]) -> Callable[[], None]:
        tensors = _tensors(sum(lengths), max(lengths), device)

        def work() -> None:
            output = attention(*tensors, ragged)
            torch.autograd.grad(output, tensors, output.detach())

        return work

    works = {name: both_ways(attention) for name, attention in ways.items()}
    taken = figures.in_turn(works, args.repeats, figures.waiting_for(device))
    baseline = taken.pop("written out")
    where = f"{args.clips} clips, {sum(lengths)} frames, bf16, {figures.machine(device)}"
    found = [
        figures.Figure(
            f"attention of one layer, {name}; {where}",
            f"written out: {1000 * min(baseline):.3g} ms",
            **figures.spread([a / b for a, b in zip(baseline, times, strict=True)]),
        )
        for name, times in taken.items()
    ]
    figures.report(found, args.figures)


def _tensors(count: int, frames: int, device: str) -> list[Tensor]:
    """Query, key, value, gate and table."""
    shapes = [(count, HEADS, SIZE)] * 3 + [(count, HEADS), (HEADS, 2 * frames - 1)]
    torch.manual_seed(0)
    return [
        torch.randn(shape, device=device, dtype=torch.bfloat16, requires_grad=True)
        for shape in shapes
    ]


def ours(
    query: Tensor, key: Tensor, value: Tensor, gate: Tensor, table: Tensor, ragged: Ragged
) -> Tensor:
    """As the model does."""
    with attention_kernels():
        projected = torch.stack([query, key, value], 1)
        return gated_attention(table, ragged)(projected, gate, 0.0)


def written_out(
    query: Tensor, key: Tensor, value: Tensor, gate: Tensor, table: Tensor, ragged: Ragged
) -> Tensor:
    """The padded batch's scores, bias and weights, ``(B, H, T, T)`` each."""
    query, key, value = (ragged.unpack(x).transpose(1, 2) for x in (query, key, value))
    frames = ragged.frames
    bias = table.unfold(1, frames, 1).flip(1)
    scores = query @ key.transpose(2, 3) * SIZE**-0.5
    scores = scores + ragged.unpack(gate).transpose(1, 2)[..., None] * bias
    weights = scores.masked_fill(~ragged.mask[:, None, None], float("-inf")).softmax(-1)
    return ragged.pack((weights @ value).transpose(1, 2))


def flexible(ragged: Ragged) -> Callable[..., Tensor]:
    """FlexAttention over the row of frames, in which clips see only themselves."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    clip = ragged.mask.nonzero()[:, 0]  # of each frame
    count = len(clip)
    attend = torch.compile(flex_attention, dynamic=False)
    same_clip = create_block_mask(
        lambda b, h, q, k: clip[q] == clip[k], None, None, count, count, device=clip.device.type
    )

    def attention(
        query: Tensor, key: Tensor, value: Tensor, gate: Tensor, table: Tensor, ragged: Ragged
    ) -> Tensor:
        middle = ragged.frames - 1

        def score(s: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
            # Other clips' keys may be further away than the table reaches; they are masked.
            distance = (k - q).clamp(-middle, middle)
            return s + gate[q, h] * table[h, middle + distance]

        rows = (x.transpose(0, 1)[None] for x in (query, key, value))
        return attend(*rows, score_mod=score, block_mask=same_clip)[0].transpose(0, 1)

    return attention


if __name__ == "__main__":
    run_main(main)
