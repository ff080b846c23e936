"""The task branches: what turns shared features into each task's answer (section 2.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from typeguard import typechecked


def first_layer(input_size: int, hidden_size: int, dropout: float) -> nn.Sequential:
    """A branch's first layer; its output is what co-attention fuses."""
    return nn.Sequential(
        nn.Linear(input_size, hidden_size),
        nn.LayerNorm(hidden_size),
        nn.ReLU(),
        nn.Dropout(dropout),
    )


class UtteranceBranch(nn.Module):
    """Emotion, gender or speaker: first layer, then a linear classifier.

    The two steps are called apart, because co-attention changes the emotion features between.

    Args:
        input_size: width of the pooled vector, 2D.
        hidden_size: H.
        num_classes: size of the label inventory.
    """

    @typechecked
    def __init__(self, input_size: int, hidden_size: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.first = first_layer(input_size, hidden_size, dropout)
        self.classifier = nn.Linear(hidden_size, num_classes)


class ASRBranch(nn.Module):
    """LSTM over the mixed frames, then the same two layers per frame, to CTC tokens.

    Args:
        input_size: encoder width D.
        hidden_size: H, also the LSTM's width.
        num_tokens: vocabulary size with the blank.
    """

    @typechecked
    def __init__(self, input_size: int, hidden_size: int, num_tokens: int, dropout: float) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, batch_first=True)
        self.first = first_layer(hidden_size, hidden_size, dropout)
        self.classifier = nn.Linear(hidden_size, num_tokens)

    def features(self, feats: Tensor) -> Tensor:
        """``(B, T, D)`` to first-layer features ``(B, T, H)``.

        The LSTM runs forwards, so trailing padding changes no true frame, and needs no packing,
        which costs several times the time on CPUs.
        """
        # Under autocast, cuDNN's LSTM takes fp16 even where bf16 is asked for, and underflows.
        with torch.autocast(feats.device.type, enabled=False):
            hidden, _ = self.lstm(feats.float())
        return self.first(hidden)
