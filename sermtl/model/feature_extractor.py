"""The convolutional feature extractor of WavLM, HuBERT and wav2vec2, over clips without padding.

Clips follow one another in a single waveform, each filled up to a whole number of frame strides:
so every clip's frames fall where they should, and frames that span two clips are left out. Frames
are rows, so that a convolution is a matrix product for each stride's worth of its kernel, over
views of the rows, and normalising a frame needs no transposition. Parameters are transformers'.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sermtl.model.ragged import Ragged

PIECE = 128  # frames computed at once on a CPU, so that what lies between layers stays in its cache


def extract_features(
    layers: Sequence[nn.Module], speech: Tensor, lengths: Sequence[int], dtype: torch.dtype
) -> Tensor:
    """Features of a padded batch.

    Args:
        layers: transformers' convolutional layers, first to last.
        speech: ``(B, N)`` waveforms, zero beyond their lengths.
        lengths: samples of each clip.
        dtype: to compute in.

    Returns:
        ``(B, T, C)``, zero on padded frames.
    """
    parts = [_Layer(layer, dtype) for layer in layers]
    stride, field = 1, 1
    for part in parts:
        field += (part.kernel - 1) * stride
        stride *= part.stride
    speech = F.pad(speech, (0, -speech.shape[1] % stride)).unflatten(1, (-1, stride))
    regions = Ragged([-(-n // stride) for n in lengths], speech.shape[1], speech.device)
    wave = regions.pack(speech).view(-1, 1).to(dtype)
    clips = [(first * stride, n) for (first, _), n in zip(regions.clips(), lengths, strict=True)]

    pieces = [wave]
    if _in_pieces(layers, wave):
        count = (len(wave) - field) // stride + 1
        pieces = [
            wave[first * stride : (min(first + PIECE, count) - 1) * stride + field]
            for first in range(0, count, PIECE)
        ]
    rows = torch.cat([_run(parts, piece, clips) for piece in pieces])
    frames = [(n - field) // stride + 1 for n in lengths]
    ragged = Ragged(frames, max(frames), speech.device)
    starts = (first // stride for first, _ in clips)
    kept = [torch.arange(s, s + n) for s, n in zip(starts, frames, strict=True)]
    places = torch.cat(kept).to(speech.device, non_blocking=True)
    return ragged.unpack(rows.index_select(0, places))


def _in_pieces(layers: Sequence[nn.Module], wave: Tensor) -> bool:
    """Whether pieces are faster and no layer looks over whole clips."""
    trained = torch.is_grad_enabled() and any(
        p.requires_grad for layer in layers for p in layer.parameters()
    )
    over_clips = any(isinstance(m, nn.GroupNorm) for layer in layers for m in layer.modules())
    return wave.device.type == "cpu" and not trained and not over_clips


def _run(parts: Sequence[_Layer], rows: Tensor, clips: Sequence[tuple[int, int]]) -> Tensor:
    """``(N, 1)`` samples to ``(T, C)``; ``clips`` are the first sample and length of each."""
    for part in parts:
        clips = [(first // part.stride, (n - part.kernel) // part.stride + 1) for first, n in clips]
        rows = part(rows, clips)
    return rows


class _Layer:
    """One layer, its weights in the order and type that they are used in."""

    def __init__(self, layer: nn.Module, dtype: torch.dtype) -> None:
        conv = layer.conv
        self.kernel, self.stride = conv.kernel_size[0], conv.stride[0]
        weight = conv.weight.to(dtype).permute(2, 1, 0)  # (K, in, out)
        # A single channel's windows are copied; they are small.
        step = self.kernel if weight.shape[1] == 1 else self.stride
        self.taps = [weight[tap : tap + step].flatten(0, 1) for tap in range(0, self.kernel, step)]
        self.bias = None if conv.bias is None else conv.bias.to(dtype)
        self.norm = getattr(layer, "layer_norm", None)
        self.activation = layer.activation

    def __call__(self, rows: Tensor, clips: Sequence[tuple[int, int]]) -> Tensor:
        """``(N, C)`` to ``(T, C')``."""
        channels = rows.shape[1]
        count = (len(rows) - self.kernel) // self.stride + 1
        result = self.bias
        for index, weight in enumerate(self.taps):
            start = rows.storage_offset() + index * self.stride * channels
            size, strides = (count, len(weight)), (self.stride * channels, 1)
            windows = rows.as_strided(size, strides, start)
            result = windows @ weight if result is None else torch.addmm(result, windows, weight)
        return self.activation(self._normalise(result, clips))

    def _normalise(self, rows: Tensor, clips: Sequence[tuple[int, int]]) -> Tensor:
        if self.norm is None:
            return rows
        weight, bias = self.norm.weight.to(rows.dtype), self.norm.bias.to(rows.dtype)
        if isinstance(self.norm, nn.LayerNorm):
            return F.layer_norm(rows, self.norm.normalized_shape, weight, bias, self.norm.eps)
        # A GroupNorm of one channel each takes its statistics over a whole clip, and nothing else.
        parts, done = [], 0
        for first, n in clips:
            clip = rows[first : first + n].float()
            variance, mean = torch.var_mean(clip, 0, correction=0)
            scaled = (clip - mean) * torch.rsqrt(variance + self.norm.eps)
            parts += [rows[done:first], (scaled * weight + bias).to(rows.dtype)]
            done = first + n
        return torch.cat([*parts, rows[done:]])
