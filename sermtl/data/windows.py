"""Cutting a long recording where it is quiet."""

from __future__ import annotations

import numpy as np

from sermtl.data import SAMPLE_RATE

HOP = SAMPLE_RATE // 50  # places that a cut may be at: every 20 ms
QUIET = 5  # hops around a cut that count, so that it falls between words, not within one
SHORTEST = 0.7  # of the longest window; of two that share the rest, half of that


def cut(samples: np.ndarray, longest: int) -> list[np.ndarray]:
    """Pieces ``(N_i,)`` of ``samples (N,)``, which follow one another, ``longest`` at most.

    Each is cut off at the quietest place of the last 30 % of what it may be. Where what is left
    fits two pieces, it is cut near the middle, so that the last piece is no crumb.

    Args:
        samples: at 16 kHz.
        longest: samples, at least one second of them.
    """
    if len(samples) <= longest:
        return [samples]
    count = len(samples) // HOP
    hops = samples[: count * HOP].reshape(count, HOP)
    energy = np.einsum("ij,ij->i", hops, hops)  # without the squares of an hour in memory
    around = np.convolve(energy, np.ones(QUIET), mode="same")  # of each hop and its neighbours
    pieces, start = [], 0
    while (left := len(samples) - start) > longest:
        first, last = int(SHORTEST * longest), longest
        if left <= 2 * longest:
            first = max(left - longest, int(SHORTEST / 2 * left))
            last = min(longest, left - int(SHORTEST / 2 * left))
        # A cut at hop i lies at its beginning.
        low, high = -(-(start + first) // HOP), (start + last) // HOP
        places = around[low : max(high, low) + 1]
        end = min((low + int(places.argmin())) * HOP, start + longest)
        pieces.append(samples[start:end])
        start = end
    return [*pieces, samples[start:]]
