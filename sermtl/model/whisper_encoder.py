"""Whisper's encoder on a clip's true length, instead of on 30 s of mostly padding.

transformers' own ``forward`` insists on 3000 mel frames. Here the convolutions see zeros beyond
the clip, as they do beyond the 30 s, positions are cut to the clip and padded frames are never
attended to; on 30 s of audio both agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sermtl.model.log_mel import HOP, LogMel
from sermtl.model.pooling import frame_mask
from sermtl.model.spec_augment import config_spans
from sermtl.model.speech_encoder import SpeechEncoder, attention_mask

if TYPE_CHECKING:
    from transformers import PretrainedConfig


class WhisperSpeechEncoder(SpeechEncoder):
    """The encoder of a Whisper model.

    Args:
        config: its transformers config.
        spec_augment: mask spans of time and mel channels in training, by the config's numbers.
    """

    min_samples = 400  # as the other encoders; one STFT window
    prefixes = ("model.encoder.", "encoder.")

    def __init__(self, config: PretrainedConfig, spec_augment: bool) -> None:
        super().__init__()
        from transformers.models.whisper.modeling_whisper import WhisperEncoder

        self.model = WhisperEncoder(config)
        self.spec_augment = spec_augment
        self.width = config.d_model
        self.max_samples = config.max_source_positions * 2 * HOP
        self.log_mel = LogMel(config.num_mel_bins, self.max_samples)
        self.dropout = nn.Dropout(config.dropout)

    @property
    def layers(self) -> nn.ModuleList:
        return self.model.layers

    def cnn_parts(self) -> list[nn.Module]:
        return [self.model.conv1, self.model.conv2]

    def embedding_parts(self) -> list[nn.Module]:
        return [self.model.embed_positions, self.dropout]

    def frame_lengths(self, lengths: Tensor) -> Tensor:
        return self.model._get_feat_extract_output_lengths(self.log_mel.frame_lengths(lengths))

    def extract(self, speech: Tensor, lengths: Tensor) -> Tensor:
        frames = self.log_mel.frame_lengths(lengths)
        lengths = lengths.to(speech.device, non_blocking=True)
        with torch.autocast(speech.device.type, enabled=False):
            mel = self.log_mel(speech, lengths)
        mask = frame_mask(frames, mel.shape[1]).to(mel.device, non_blocking=True)
        if self.spec_augment and self.training:
            mel = self._mask_spans(mel, frames)
        hidden = nn.functional.gelu(self.model.conv1(mel.transpose(1, 2)))
        hidden = hidden.masked_fill(~mask[:, None], 0.0)
        return nn.functional.gelu(self.model.conv2(hidden)).transpose(1, 2)

    def embed(self, features: Tensor, frames: Tensor) -> Tensor:
        return self.dropout(features + self.model.embed_positions.weight[: features.shape[1]])

    def run_layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        return self.layers[index](hidden, attention_mask(mask))

    def finish(self, hidden: Tensor) -> Tensor:
        return self.model.layer_norm(hidden)

    def _mask_spans(self, mel: Tensor, frames: Tensor) -> Tensor:
        time, feature = config_spans(self.model.config, frames, mel)
        if time is not None:
            mel = mel.masked_fill(time[..., None], 0.0)
        return mel if feature is None else mel.masked_fill(feature[:, None], 0.0)
