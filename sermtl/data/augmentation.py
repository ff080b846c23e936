"""Changes to the waveform that keep the emotion, for training on small corpora."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from typeguard import typechecked

from sermtl.data.audio import change_speed


class Augmentation:
    """Speed perturbation (Ko et al. 2015) and additive noise.

    Args:
        speeds: factors, one of which is drawn for each utterance; pitch changes along.
        noise_snr: lowest and highest signal-to-noise ratio of white noise, dB; empty for none.
        noise_prob: share of the utterances that get noise.
    """

    @typechecked
    def __init__(
        self,
        speeds: Sequence[float] = (1.0,),
        noise_snr: Sequence[float] = (),
        noise_prob: float = 0.5,
    ) -> None:
        if any(speed <= 0 for speed in speeds):
            raise ValueError(f"speeds must be positive: {speeds}")
        self.speeds, self.noise_snr, self.noise_prob = speeds, noise_snr, noise_prob

    def __call__(self, speech: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """``(N,)`` float32 to ``(M,)``."""
        speech = change_speed(speech, float(random.choice(self.speeds)))
        if self.noise_snr and random.random() < self.noise_prob:
            snr = random.uniform(*self.noise_snr)
            power = float(np.square(speech).mean()) / 10 ** (snr / 10)
            speech = speech + random.normal(0, power**0.5, len(speech)).astype(np.float32)
        return speech.astype(np.float32)
