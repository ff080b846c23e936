"""WavLM, HuBERT and wav2vec2: a CNN over the waveform, a positional convolution, layers.

Sources: transformers' ``modeling_wavlm``, ``modeling_hubert`` and ``modeling_wav2vec2``, whose
modules are used and whose results on single clips are the reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sermtl.model.feature_extractor import extract_features
from sermtl.model.long_convolution import long_convolution
from sermtl.model.pooling import frame_mask
from sermtl.model.precision import compute_dtype
from sermtl.model.spec_augment import config_spans
from sermtl.model.speech_encoder import SpeechEncoder, attention_mask

if TYPE_CHECKING:
    from transformers import PretrainedConfig


class Wav2Vec2Family(SpeechEncoder):
    """A WavLM, HuBERT or wav2vec2 model.

    Args:
        config: its transformers config.
        spec_augment: mask spans of time and channels in training, by the config's numbers.
    """

    def __init__(self, config: PretrainedConfig, spec_augment: bool) -> None:
        super().__init__()
        from transformers import HubertModel, Wav2Vec2Model, WavLMModel

        classes = {"wavlm": WavLMModel, "hubert": HubertModel, "wav2vec2": Wav2Vec2Model}
        self.model = model = classes[config.model_type](config)
        self.spec_augment = spec_augment
        self.width = config.hidden_size
        self.prefixes = (f"{model.base_model_prefix}.",)
        self.min_samples = 1
        for kernel, stride in zip(config.conv_kernel[::-1], config.conv_stride[::-1], strict=True):
            self.min_samples = (self.min_samples - 1) * stride + kernel
        if hasattr(model, "masked_spec_embed"):
            model.masked_spec_embed.requires_grad_(spec_augment and config.mask_time_prob > 0)

    @property
    def layers(self) -> nn.ModuleList:
        return self.model.encoder.layers

    def cnn_parts(self) -> list[nn.Module]:
        return [self.model.feature_extractor]

    def embedding_parts(self) -> list[nn.Module]:
        encoder = self.model.encoder
        parts = [self.model.feature_projection, encoder.pos_conv_embed, encoder.dropout]
        if not self.model.config.do_stable_layer_norm:
            parts.append(encoder.layer_norm)
        return parts

    def frame_lengths(self, lengths: Tensor) -> Tensor:
        return self.model._get_feat_extract_output_lengths(lengths)

    def extract(self, speech: Tensor, lengths: Tensor) -> Tensor:
        layers = self.model.feature_extractor.conv_layers
        dtype = compute_dtype(speech.device)
        with torch.autocast(speech.device.type, enabled=False):
            return extract_features(layers, speech, lengths.tolist(), dtype)

    def embed(self, features: Tensor, frames: Tensor) -> Tensor:
        encoder = self.model.encoder
        mask = frame_mask(frames, features.shape[1]).to(features.device, non_blocking=True)
        hidden = self.model.feature_projection(features)
        if isinstance(hidden, tuple):  # HuBERT returns it alone
            hidden = hidden[0]
        if self.spec_augment and self.training:
            hidden = self._mask_spans(hidden, frames)
        hidden = hidden.masked_fill(~mask[..., None], 0.0)
        hidden = hidden + self._positions(hidden, mask)
        if not self.model.config.do_stable_layer_norm:
            hidden = encoder.layer_norm(hidden)
        return encoder.dropout(hidden)

    def run_layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        return self.layers[index](hidden, attention_mask=attention_mask(mask))

    def finish(self, hidden: Tensor) -> Tensor:
        if self.model.config.do_stable_layer_norm:
            return self.model.encoder.layer_norm(hidden)
        return hidden

    def _positions(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Positional convolution ``(B, T, D)`` that sees zeros beyond each clip's end."""
        positions = self.model.encoder.pos_conv_embed
        norm = getattr(positions, "batch_norm", None)  # some HuBERTs have one in front
        if norm is not None:
            hidden = norm(hidden.transpose(1, 2)).masked_fill(~mask[:, None], 0.0).transpose(1, 2)
        conv = positions.conv
        with torch.autocast(hidden.device.type, enabled=False):
            moved = long_convolution(hidden, conv.weight, conv.bias, conv.groups)
        return positions.activation(moved).to(hidden.dtype)

    def train(self, mode: bool = True) -> Wav2Vec2Family:
        """Train or eval mode; a BatchNorm keeps its statistics, which batches would fill with
        padding."""
        super().train(mode)
        norm = getattr(self.model.encoder.pos_conv_embed, "batch_norm", None)
        if norm is not None:
            norm.eval()
        return self

    def _mask_spans(self, hidden: Tensor, frames: Tensor) -> Tensor:
        time, feature = config_spans(self.model.config, frames, hidden)
        if time is not None:
            embedding = self.model.masked_spec_embed.to(hidden.dtype)
            hidden = torch.where(time[..., None], embedding, hidden)
        return hidden if feature is None else hidden.masked_fill(feature[:, None], 0.0)
