"""The speech encoder: any WavLM, HuBERT, wav2vec2 or Whisper encoder of transformers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import torch
from espnet2.asr.frontend.abs_frontend import AbsFrontend
from torch import Tensor, nn

from sermtl.data import SAMPLE_RATE
from sermtl.errors import UserError, first_line
from sermtl.model import ssl_checkpoint
from sermtl.model.pooling import frame_mask
from sermtl.model.silence import trim_silence
from sermtl.model.wav2vec2_family import Wav2Vec2Family
from sermtl.model.wavlm import WavLM
from sermtl.model.whisper_encoder import WhisperSpeechEncoder

if TYPE_CHECKING:
    from transformers import PretrainedConfig

# Entries of a transformers config that say nothing about the encoder.
INCIDENTAL = (
    "_name_or_path",
    "architectures",
    "dtype",
    "id2label",
    "label2id",
    "torch_dtype",
    "transformers_version",
)


class SSLFrontend(AbsFrontend):
    """Hidden states of a pretrained speech encoder, the same batched or alone.

    Args:
        model: a name on the Hugging Face hub, a folder (``config.json`` with
            ``model.safetensors`` or ``pytorch_model.bin``), or a config as a mapping, such as
            ``{"model_type": "wavlm", "hidden_size": 64}``, for random weights.
        normalize: bring each waveform to zero mean and unit variance first. None: as the
            checkpoint's ``preprocessor_config.json`` says; for a mapping, its own ``normalize``
            entry, else true for random weights; never needed for Whisper, which doesn't.
        freeze: ``cnn`` (the convolutional extractor), ``all`` or ``none``. None: ``cnn`` for
            pretrained weights, ``none`` for random ones.
        freeze_layers: freeze also everything below this many transformer layers, and them.
        trim_db: cut from both ends of each clip what is more than this many dB below its loudest
            25 ms. None: encode clips whole.
        spec_augment: mask spans of time and channels in training, by the config's ``mask_*``, or
            by a mapping such as ``{"mask_time_prob": 0.1}`` on top of them.
        init: false to leave the weights NaN, because a checkpoint is loaded over them.
        gradient_checkpointing: recompute trained layers in the backward pass, to save memory.

    Raises:
        UserError: the model can't be had, isn't supported, lacks weights, or options contradict.
    """

    def __init__(
        self,
        model: str | Mapping[str, Any],
        *,
        normalize: bool | None = None,
        freeze: Literal["cnn", "all", "none"] | None = None,
        freeze_layers: int = 0,
        trim_db: float | None = None,
        spec_augment: bool | Mapping[str, float] = False,
        init: bool = True,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        named = isinstance(model, str)
        source = f"SSL model {model}" if named else "SSL model config"
        values = ssl_checkpoint.read_config(model) if named else dict(model)
        described = values.pop("normalize", None)
        config = ssl_checkpoint.build_config(values, source)
        if not named and init:  # written by hand; what `describe` wrote has the checkpoint's keys
            ssl_checkpoint.check_known(values, source)
            if described is None:
                described = config.model_type != "whisper"
        if normalize is None:
            normalize = described
        if normalize is None and config.model_type == "whisper":
            normalize = False
        if normalize is None and named:
            normalize = ssl_checkpoint.read_normalize(model)
        if normalize is None:
            raise UserError(
                f"{source}: no preprocessor_config.json with it says whether waveforms are "
                "normalised, and models of one family differ: give normalize: true or false"
            )
        self.normalize = normalize
        if trim_db is not None and trim_db <= 0:
            raise UserError(f"trim_db: {trim_db}, but it is a number of dB below the loudest 25 ms")
        self.trim_db = trim_db
        self._configure_spec_augment(config, spec_augment, freeze)

        families = {"wavlm": WavLM, "whisper": WhisperSpeechEncoder}
        family = families.get(config.model_type, Wav2Vec2Family)
        random = init and not named
        try:
            # Random numbers that weights will replace take seconds in a large model.
            with torch.device("cpu" if random else "meta"):
                self.encoder = family(config, spec_augment=bool(spec_augment))
        except Exception as error:  # of many kinds, for values that don't go together
            raise UserError(f"{source}: {first_line(error)}") from error
        if named and init:
            ssl_checkpoint.load_weights(
                self.encoder.model,
                ssl_checkpoint.read_weights(model),
                self.encoder.prefixes,
                source,
                unused=() if spec_augment else ("masked_spec_embed",),
            )
        elif not init:
            self.encoder.model.to_empty(device=torch.get_default_device())
            for parameter in self.encoder.model.parameters():
                parameter.data.fill_(torch.nan)
        if freeze is None:
            freeze = "none" if random and not freeze_layers else "cnn"
        self._frozen = self._freeze(freeze, freeze_layers)
        if gradient_checkpointing and freeze != "all":
            self.encoder.checkpoint_from = freeze_layers

    @property
    def num_states(self) -> int:
        """L+1: the input of the first layer and the output of each."""
        return len(self.encoder.layers) + 1

    def output_size(self) -> int:
        """D, the width of the hidden states."""
        return self.encoder.width

    def why_not(self, samples: int) -> str | None:
        """Why a clip of so many samples can't be encoded; ``None`` if it can."""
        if samples < self.encoder.min_samples:
            return f"{samples} samples at 16 kHz; the encoder needs {self.encoder.min_samples}"
        limit = self.encoder.max_samples
        if limit is not None and samples > limit:
            return (
                f"{samples / SAMPLE_RATE:.2f} s, longer than the {limit / SAMPLE_RATE:g} s that "
                "the encoder has positions for: cut it"
            )
        return None

    def check_lengths(self, samples: Mapping[str, int], speed: float = 1.0) -> None:
        """Refuse clips beforehand, instead of in the midst of the work.

        Args:
            samples: by utterance id.
            speed: of the augmentation that they will go through.

        Raises:
            UserError: naming the first clip that can't be encoded.
        """
        for utt_id, count in samples.items():
            if reason := self.why_not(round(count / speed)):
                at = f" at speed {speed:g}" if speed != 1 else ""
                raise UserError(f"{utt_id}{at}: {reason}")

    def describe(self) -> dict[str, Any]:
        """Config mapping that, as ``model`` with ``init=False``, rebuilds this architecture."""
        config = self.encoder.model.config.to_dict()
        kept = {name: value for name, value in config.items() if name not in INCIDENTAL}
        return {**kept, "normalize": self.normalize}

    def forward(self, input: Tensor, input_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The last hidden state.

        Args:
            input: ``(B, N)`` waveforms, 16 kHz.
            input_lengths: ``(B,)`` samples.

        Returns:
            ``(B, T, D)``, zero on padded frames, and ``(B,)`` frames.
        """
        states, frames = self.encode(input, input_lengths)
        return states[-1], frames

    def encode(self, speech: Tensor, speech_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """All hidden states: 0 feeds the first layer, L is ``last_hidden_state``.

        Args:
            speech: ``(B, N)`` waveforms in [-1, 1], 16 kHz.
            speech_lengths: ``(B,)`` samples.

        Returns:
            ``(L+1, B, T, D)``, zero on padded frames, and ``(B,)`` frames.

        Raises:
            ValueError: a clip is too short for one frame, or too long for Whisper.
        """
        lengths = speech_lengths.cpu()  # once and first: later, a GPU would finish its work before
        self._check_lengths(speech, lengths)
        speech = speech[:, : int(lengths.max())].float()
        return self.encoder(*self._prepare(speech, lengths))

    def train(self, mode: bool = True) -> SSLFrontend:
        """Train or eval mode; frozen parts stay in eval mode."""
        super().train(mode)
        for part in self._frozen:
            part.eval()
        return self

    def _check_lengths(self, speech: Tensor, lengths: Tensor) -> None:
        """Raise where a clip can't be encoded."""
        for index, length in enumerate(lengths.tolist()):
            if length > speech.shape[1]:
                raise ValueError(
                    f"clip {index} of the batch: length {length} in {speech.shape[1]} samples"
                )
            if reason := self.why_not(length):
                raise ValueError(f"clip {index} of the batch: {reason}")

    def _prepare(self, speech: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, N)`` with zero padding, trimmed and normalised over true samples if asked for, and
        its lengths; those are on the CPU."""
        there = lengths.to(speech.device, non_blocking=True)
        mask = frame_mask(there, speech.shape[1])
        speech = speech.masked_fill(~mask, 0.0)
        if self.trim_db is not None:
            speech, there = trim_silence(speech, there, self.trim_db)
            mask, lengths = frame_mask(there, speech.shape[1]), there.cpu()
        if not self.normalize:
            return speech, lengths
        count = there[:, None]
        # Exact in float64: of a constant clip nothing is left, where rounding would leave what the
        # extractor's normalisations make a signal of, another one in every batch.
        mean = (speech.sum(1, keepdim=True, dtype=torch.float64) / count).float()
        centred = (speech - mean).masked_fill(~mask, 0.0)
        variance = centred.square().sum(1, keepdim=True) / count
        # The constant is that of transformers' extractors.
        return centred / torch.sqrt(variance + 1e-7), lengths

    def _freeze(self, freeze: str, layers: int) -> list[nn.Module]:
        """Stop gradients of what ``freeze`` and ``freeze_layers`` name; the modules concerned.

        What is frozen is always the bottom of the stack, so autograd, finding nothing that
        requires a gradient, records nothing there: the same as ``no_grad``.
        """
        encoder = self.encoder
        if freeze not in ("cnn", "all", "none"):
            raise UserError(f"freeze: {freeze!r} is none of cnn, all, none")
        if not 0 <= layers <= len(encoder.layers):
            raise UserError(f"freeze_layers: {layers}, but the encoder has {len(encoder.layers)}")
        if freeze == "none" and layers:
            raise UserError(f"freeze: none contradicts freeze_layers: {layers}")
        if freeze == "all":
            frozen = [encoder]
        else:
            frozen = encoder.cnn_parts() if freeze == "cnn" else []
            if layers:
                frozen = [*frozen, *encoder.embedding_parts(), *encoder.layers[:layers]]
        for part in frozen:
            part.requires_grad_(False)
        if layers and hasattr(encoder.model, "masked_spec_embed"):
            encoder.model.masked_spec_embed.requires_grad_(False)
        return frozen

    @staticmethod
    def _configure_spec_augment(
        config: PretrainedConfig, wanted: bool | Mapping[str, float], freeze: str | None
    ) -> None:
        """Put what is masked in training into the config."""
        config.apply_spec_augment = bool(wanted)
        if not wanted:
            return
        for name, value in wanted.items() if isinstance(wanted, Mapping) else ():
            if not (name.startswith("mask_") and hasattr(config, name)):
                raise UserError(f"spec_augment: {config.model_type} encoders have no {name}")
            setattr(config, name, value)
        if freeze == "all":
            raise UserError("spec_augment needs a trained encoder, but freeze is all")
        if config.mask_time_prob <= 0 and config.mask_feature_prob <= 0:
            raise UserError(
                "spec_augment: the encoder's mask_time_prob and mask_feature_prob are both 0"
            )
