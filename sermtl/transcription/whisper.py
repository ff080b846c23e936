"""Batched greedy transcription with openai-whisper. Imports torch: for the workers only."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import whisper
from whisper.tokenizer import LANGUAGES
from whisper.utils import compression_ratio

from sermtl.errors import UserError
from sermtl.files import sha256
from sermtl.transcription.records import Transcript

WINDOW = whisper.audio.N_SAMPLES  # the model's view: 30 s at 16 kHz


def find_checkpoint(model: str) -> Path:
    """A local file as it is; a released model by name, downloaded to whisper's cache if need be.

    Raises:
        UserError: neither, or the download failed.
    """
    if Path(model).is_file():
        return Path(model)
    released = whisper._MODELS
    advice = "give the path of a checkpoint in OpenAI's format (.pt), or none to keep the corpus's"
    if model not in released:
        raise UserError(
            f"--whisper_model {model}: neither a file nor one of {', '.join(released)}; {advice}"
        )
    cache = os.path.join(os.getenv("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "whisper")
    try:
        return Path(whisper._download(released[model], cache, in_memory=False))
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"--whisper_model {model}: not in {cache} and can't be downloaded ({error}); "
            f"put {os.path.basename(released[model])} there, {advice} transcripts"
        ) from error


class Transcriber:
    """A Whisper model and how to decode with it: greedily, so that batches change nothing.

    Args:
        model: released model's name, or path of a checkpoint in OpenAI's format.
        language: Whisper's code, or ``auto`` to detect it clip by clip.
        device: torch device; half precision on GPUs, single on CPUs.
    """

    def __init__(self, model: str, language: str = "auto", device: str = "cpu") -> None:
        checkpoint = find_checkpoint(model)
        self.name = model
        self.sha256 = sha256(checkpoint)
        self.model = _load(checkpoint, device).eval()
        self.options = {
            "language": _check_language(self.model, language),
            "temperature": 0.0,
            "fp16": device != "cpu",
        }

    def __call__(self, clips: Mapping[str, np.ndarray]) -> list[Transcript]:
        """Transcribe clips, id -> float32 samples (N,) at 16 kHz; results in the same order.

        Clips of up to 30 s make one batch; longer ones go through whisper's sliding windows.
        """
        short = [clip for clip, samples in clips.items() if len(samples) <= WINDOW]
        results = dict(zip(short, self._decode([clips[clip] for clip in short]), strict=True))
        for clip, samples in clips.items():
            if clip not in results:
                results[clip] = self._slide(samples)
        return [
            Transcript(
                id=clip,
                duration=len(samples) / whisper.audio.SAMPLE_RATE,
                model=self.name,
                sha256=self.sha256,
                **results[clip],
            )
            for clip, samples in clips.items()
        ]

    def _decode(self, clips: list[np.ndarray]) -> list[dict[str, object]]:
        """One window per clip, all windows at once: mel spectra (B, n_mels, 3000)."""
        if not clips:
            return []
        mels = [
            whisper.log_mel_spectrogram(
                whisper.pad_or_trim(samples), self.model.dims.n_mels, device=self.model.device
            )
            for samples in clips
        ]
        # With timestamps the model may stop at the end of a sentence, which is the cue to move
        # the window on; here the window is the clip.
        options = whisper.DecodingOptions(without_timestamps=True, **self.options)
        return [
            _fields(result.text, result.language, result.avg_logprob, result.no_speech_prob)
            for result in whisper.decode(self.model, torch.stack(mels), options)
        ]

    def _slide(self, samples: np.ndarray) -> dict[str, object]:
        """A long clip in windows, whose scores are averaged over tokens."""
        # Conditioning on what was said before carries one window's loop into the next.
        result = self.model.transcribe(samples, condition_on_previous_text=False, **self.options)
        segments = result["segments"]
        tokens = [len(segment["tokens"]) for segment in segments]
        mean = {
            name: float(np.average([segment[name] for segment in segments], weights=tokens))
            if sum(tokens)
            else None
            for name in ("avg_logprob", "no_speech_prob")
        }
        return _fields(result["text"], result["language"], **mean)


def _fields(
    text: str, language: str, avg_logprob: float | None, no_speech_prob: float | None
) -> dict[str, object]:
    text = " ".join(text.split())
    return {
        "text": text,
        "language": language,
        "avg_logprob": avg_logprob,
        "no_speech_prob": no_speech_prob,
        "compression_ratio": compression_ratio(text),
        "temperature": 0.0,
    }


def _load(checkpoint: Path, device: str) -> whisper.Whisper:
    # whisper loads tensors only (`weights_only=True`): a checkpoint can't run code.
    try:
        return whisper.load_model(str(checkpoint), device)
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{checkpoint} is not a Whisper checkpoint in OpenAI's format (a .pt file with dims "
            f"and model_state_dict): {reason}"
        ) from error


def _check_language(model: whisper.Whisper, language: str) -> str | None:
    """What to decode as; None lets the model find out."""
    if not model.is_multilingual:
        if language not in ("auto", "en"):
            raise UserError(
                f"--language {language}: this Whisper model knows English only; "
                "use a multilingual one (its name has no .en)"
            )
        return "en"
    if language == "auto":
        return None
    known = list(LANGUAGES)[: model.num_languages]
    if language not in known:
        raise UserError(f"--language {language}: use auto or one of {' '.join(sorted(known))}")
    return language
