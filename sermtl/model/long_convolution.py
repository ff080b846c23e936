"""The positional convolution, with its long kernels, in the frequency domain.

At 128 taps a product per frequency needs a tenth of the arithmetic. The signal is cut into
overlapping blocks (overlap-save; Oppenheim & Schafer, *Discrete-Time Signal Processing*, 8.7.3),
and since blocks are short, products with a matrix of cosines and sines transform them faster than
an FFT, and leave the frames in the order that they are needed in.
"""

from __future__ import annotations

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor


def long_convolution(signal: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
    """``y_t = Σ_k w_k x_(t + k - K//2)``, as `conv1d` with half a kernel of zeros at both ends.

    Args:
        signal: ``(B, T, D)``, computed on in fp32.
        weight: ``(D, D / groups, K)``.
        bias: ``(D,)``.
        groups: of channels that see only themselves.

    Returns:
        ``(B, T, D)``, fp32.
    """
    batch, frames, width = signal.shape
    taps, size = weight.shape[2], width // groups
    block, hop = 2 * taps, taps + 1
    blocks = -(-frames // hop)
    tail = (blocks - 1) * hop + block - taps // 2 - frames
    padded = F.pad(signal.float(), (0, 0, taps // 2, tail))
    to_real, to_imaginary, from_real, from_imaginary = transforms(taps, signal.device)
    bins = len(to_real)

    # (B·blocks, block, D), overlapping views, to (bins·groups, B·blocks, D / groups)
    pieces = padded.unfold(1, block, hop).transpose(2, 3).flatten(0, 1)
    real, imaginary = (
        torch.matmul(transform, pieces).unflatten(2, (groups, size)).flatten(1, 2).transpose(0, 1)
        for transform in (to_real, to_imaginary)
    )
    # (K, groups·in·out) to (bins·groups, in, out); conjugate, since it is a correlation
    kernel = weight.float().unflatten(0, (groups, size)).permute(3, 0, 2, 1).reshape(taps, -1)
    kernel_real = (to_real[:, :taps] @ kernel).view(bins * groups, size, size)
    kernel_imaginary = (-to_imaginary[:, :taps] @ kernel).view(bins * groups, size, size)
    product_real = torch.baddbmm(real @ kernel_real, imaginary, kernel_imaginary, alpha=-1).view(
        bins, -1
    )
    product_imaginary = torch.baddbmm(imaginary @ kernel_real, real, kernel_imaginary).view(
        bins, -1
    )
    result = torch.addmm(from_real @ product_real, from_imaginary, product_imaginary)
    # (hop, groups, B·blocks, D / groups) back to (B, T, D)
    result = result.view(hop, groups, batch * blocks, size).permute(2, 0, 1, 3)
    result = result.reshape(batch, blocks * hop, width)[:, :frames]
    return result if bias is None else result + bias


@cache
@torch.inference_mode(False)  # what is made in that mode can take no part in training later
def transforms(taps: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Matrices to frequencies, ``(taps + 1, 2 taps)`` each, and back, ``(taps + 1, taps + 1)``.

    Backwards only the first ``taps + 1`` samples: those that the circular convolution leaves right.
    """
    block = 2 * taps
    turns = torch.outer(torch.arange(taps + 1), torch.arange(block)) % block
    angle = turns.double() * (2 * math.pi / block)
    weights = torch.full((taps + 1,), 2.0 / block, dtype=torch.double)
    weights[0] = weights[-1] = 1.0 / block
    back = weights[:, None] * torch.stack([angle.cos(), -angle.sin()])[..., : taps + 1]
    matrices = angle.cos(), -angle.sin(), back[0].t(), back[1].t()
    return tuple(m.float().contiguous().to(device) for m in matrices)
