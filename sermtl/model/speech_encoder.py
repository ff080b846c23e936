"""What the supported encoders have in common: a CNN, an embedding, transformer layers.

transformers' layers are called one by one instead of through its ``forward``: so each hidden state
is where we say it is whatever its version, padding and frozen parts are ours to handle, and no
layer is ever dropped.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

from sermtl.model.pooling import frame_mask


class SpeechEncoder(nn.Module, ABC):
    """One transformers encoder, run on true lengths.

    Attributes:
        model: transformers' module; its state dict is the checkpoint's.
        layers: the transformer layers, first to last.
        width: D of the hidden states.
        min_samples: shortest clip that gives a frame.
        max_samples: longest clip the encoder can represent; None without a limit.
        prefixes: under which a checkpoint may keep this encoder's tensors.
        checkpoint_from: first layer whose activations are recomputed in the backward pass.
    """

    model: nn.Module
    layers: nn.ModuleList
    width: int
    min_samples: int
    max_samples: int | None = None
    prefixes: tuple[str, ...]
    checkpoint_from: int | None = None

    @abstractmethod
    def cnn_parts(self) -> list[nn.Module]:
        """Modules of the convolutional feature extractor."""

    @abstractmethod
    def embedding_parts(self) -> list[nn.Module]:
        """Modules between the feature extractor and the first layer."""

    @abstractmethod
    def frame_lengths(self, lengths: Tensor) -> Tensor:
        """Frames of clips of ``lengths`` samples, ``(B,)``."""

    @abstractmethod
    def extract(self, speech: Tensor, lengths: Tensor) -> Tensor:
        """CNN features ``(B, T, C)`` of ``(B, N)`` waveforms whose padding is zero; their lengths
        are on the CPU."""

    @abstractmethod
    def embed(self, features: Tensor, frames: Tensor) -> Tensor:
        """State 0, ``(B, T, D)``, from ``(B, T, C)`` features and frame counts ``(B,)``, which are
        on the CPU."""

    @abstractmethod
    def run_layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """One layer's output.

        Args:
            hidden: ``(B, T, D)``.
            mask: ``(B, T)`` frame mask; None when no frame is padding.
        """

    def finish(self, hidden: Tensor) -> Tensor:
        """``last_hidden_state`` out of the last layer's output."""
        return hidden

    def forward(self, speech: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """All hidden states.

        Args:
            speech: ``(B, N)`` waveforms, zero beyond their lengths.
            lengths: ``(B,)`` samples, on the CPU; the longest is N.

        Returns:
            ``(L+1, B, T, D)``, zero on padded frames, and frame counts ``(B,)``.
        """
        frames = self.frame_lengths(lengths)
        features = self.extract(speech, lengths)
        hidden = self.embed(features, frames)
        with attention_kernels():
            states = self.run_layers(hidden, frames)
        return states, frames.to(speech.device, non_blocking=True)

    def run_layers(self, hidden: Tensor, frames: Tensor) -> Tensor:
        """``(L+1, B, T, D)``, zero on padded frames, from state 0 and frame counts ``(B,)``, which
        are on the CPU."""
        mask = frame_mask(frames, hidden.shape[1])
        padded = not bool(mask.all())
        mask = mask.to(hidden.device, non_blocking=True)
        keys = mask if padded else None
        states = [hidden]
        for index in range(len(self.layers)):
            states.append(self.recomputed(index, self.run_layer, index, states[-1], keys))
        states[-1] = self.finish(states[-1])
        return torch.stack(states).masked_fill(~mask[:, :, None], 0.0)

    def recomputed(self, layer: int, function: Callable[..., Tensor], *arguments: Any) -> Tensor:
        """What ``function`` makes of ``arguments``; where asked for, it is called again in the
        backward pass instead of keeping what lies between."""
        first = self.checkpoint_from
        if first is None or layer < first or not (self.training and torch.is_grad_enabled()):
            return function(*arguments)
        return checkpoint(
            function,
            *arguments,
            use_reentrant=False,
            context_fn=lambda: (attention_kernels(), attention_kernels()),
        )


def attention_kernels() -> AbstractContextManager[Any]:
    """Where torch may choose any fused attention but cuDNN's, its favourite on H100: that has no
    gradient of a bias, and with a mask its other gradients can be NaN (pytorch#196678)."""
    return sdpa_kernel(
        [
            SDPBackend.FLASH_ATTENTION,
            SDPBackend.EFFICIENT_ATTENTION,
            SDPBackend.OVERRIDEABLE,
            SDPBackend.MATH,
        ]
    )


def attention_mask(mask: Tensor | None) -> Tensor | None:
    """Mask over keys for scaled dot-product attention, ``(B, 1, T, T)``, true = attended to."""
    if mask is None:
        return None
    return mask[:, None, None, :].expand(-1, 1, mask.shape[1], -1)
