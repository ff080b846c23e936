"""Whisper's log-mel spectrogram, in torch, for batches of clips of any length up to 30 s."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sermtl.data import SAMPLE_RATE
from sermtl.model.pooling import frame_mask

WINDOW = 400  # samples
HOP = 160  # samples
DYNAMIC_RANGE = 8.0  # log10 units below the clip's maximum


class LogMel(nn.Module):
    """Log-mel of each clip's own frames, as if it were padded with silence to ``max_samples``.

    Equal, frame by frame, to transformers' ``WhisperFeatureExtractor``: windows that reach beyond
    the clip's end see zeros, its start is reflected, and the floor lies 8 below the maximum over
    all frames that touch the clip. A clip has ``ceil(samples / 160)`` frames, which are the frames
    centred on one of its samples.

    Args:
        bins: mel channels.
        max_samples: the length that Whisper pads to.
    """

    def __init__(self, bins: int, max_samples: int) -> None:
        super().__init__()
        from transformers.audio_utils import mel_filter_bank

        filters = mel_filter_bank(
            num_frequency_bins=WINDOW // 2 + 1,
            num_mel_filters=bins,
            min_frequency=0.0,
            max_frequency=SAMPLE_RATE / 2,
            sampling_rate=SAMPLE_RATE,
            norm="slaney",
            mel_scale="slaney",
        )
        self.max_samples = max_samples
        # On the CPU also where weights are built without memory: no checkpoint brings these.
        window = torch.hann_window(WINDOW, device="cpu")
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("filters", torch.from_numpy(filters).float(), persistent=False)

    @staticmethod
    def frame_lengths(lengths: Tensor) -> Tensor:
        """Mel frames of clips of ``lengths`` samples, ``(B,)``."""
        return (lengths + HOP - 1) // HOP

    def forward(self, speech: Tensor, lengths: Tensor) -> Tensor:
        """``(B, M, bins)`` from ``(B, N)`` clips, zero on padded frames.

        Args:
            speech: waveforms in [-1, 1], zero beyond their lengths, N at least 201.
            lengths: ``(B,)`` samples.
        """
        half = WINDOW // 2
        size = speech.shape[1]
        if size + half > self.max_samples:
            # The reflection at the end of the 30 s comes into sight.
            speech = nn.functional.pad(speech, (0, self.max_samples - size))
            speech = nn.functional.pad(speech, (half, half), mode="reflect")
        else:
            speech = nn.functional.pad(speech, (half, 0), mode="reflect")
            speech = nn.functional.pad(speech, (0, 2 * WINDOW))
        spectrum = torch.stft(
            speech, WINDOW, HOP, window=self.window, center=False, return_complex=True
        )
        power = spectrum.abs().square().transpose(1, 2)[:, : self.max_samples // HOP]
        mel = torch.clamp(power @ self.filters, min=1e-10).log10()

        touched = frame_mask((lengths + half + HOP - 1) // HOP, mel.shape[1])
        peak = mel.masked_fill(~touched[..., None], -torch.inf).amax((1, 2), keepdim=True)
        mel = (torch.maximum(mel, peak - DYNAMIC_RANGE) + 4.0) / 4.0
        frames = self.frame_lengths(lengths)
        mel = mel[:, : self.frame_lengths(torch.tensor(size)).item()]
        return mel.masked_fill(~frame_mask(frames, mel.shape[1])[..., None], 0.0)
