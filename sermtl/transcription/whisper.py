"""Batched transcription with openai-whisper. Imports torch: for the workers only."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import whisper
from whisper.decoding import DecodingOptions, DecodingResult
from whisper.model import AudioEncoder, TextDecoder
from whisper.tokenizer import LANGUAGES

from sermtl.errors import UserError, first_line
from sermtl.files import sha256
from sermtl.model.weights import load, misfits
from sermtl.transcription.guards import FAILED, SILENCE, SPEECH, Guards, Scores
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
    advice = (
        "give the path of a checkpoint in OpenAI's format (.pt), or none to keep the corpus's "
        "transcripts"
    )
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
            f"put {os.path.basename(released[model])} there, {advice}"
        ) from error


class Transcriber:
    """A Whisper model and how to decode with it, so that batches change nothing (but for the
    rounding of half precision, on GPUs, where two tokens are all but equally likely).

    What is decoded together is decoded greedily. What the guards refuse is sampled at the next
    temperatures, clip by clip and from a seed of its own.

    Args:
        model: released model's name, or path of a checkpoint in OpenAI's format.
        language: Whisper's code, or ``auto`` to detect it clip by clip.
        device: torch device; half precision on GPUs, single on CPUs.
        guards: when to try the next temperature.
    """

    def __init__(
        self, model: str, language: str = "auto", device: str = "cpu", guards: Guards | None = None
    ) -> None:
        checkpoint = find_checkpoint(model)
        self.name = model
        self.sha256 = sha256(checkpoint)
        self.model = _load(checkpoint, device).eval()
        self.language = _check_language(self.model, language)
        self.fp16 = device != "cpu"
        if self.fp16:
            _halve(self.model)
        _keep_projections(self.model)
        self.guards = guards or Guards()

    def __call__(
        self, clips: Mapping[str, np.ndarray], wanted: Collection[str] | None = None
    ) -> Iterator[Transcript]:
        """Transcribe clips, id -> float32 samples (N,) at 16 kHz; each comes when it is finished.

        Clips of up to 30 s make one batch; longer ones go through whisper's sliding windows.

        Args:
            clips: what is decoded together.
            wanted: which of them to yield, by default all. The scores of a clip depend on the whole
                batch, if only in the last digits.
        """
        wanted = clips if wanted is None else wanted
        short = {clip: samples for clip, samples in clips.items() if len(samples) <= WINDOW}
        refused = {}
        for clip, result in zip(short, self._decode(short.values()), strict=True):
            if clip not in wanted:
                continue
            if self._refuses(result):
                refused[clip] = result
            else:
                yield self._of_window(clip, short[clip], result)
        for clip, result in refused.items():
            yield self._of_window(clip, short[clip], self._sample(clip, result))
        for clip, samples in clips.items():
            if clip in wanted and clip not in short:
                yield self._slide(clip, samples)

    def _decode(self, clips: Collection[np.ndarray]) -> list[DecodingResult]:
        """One window per clip, all windows at once."""
        if not clips:
            return []
        options = self._options(0.0, self.language)
        return whisper.decode(self.model, self._encode(clips), options)

    @torch.no_grad()
    def _encode(self, clips: Collection[np.ndarray]) -> torch.Tensor:
        """Hidden states (B, 1500, D) of clips of up to 30 s, padded with silence to 30 s."""
        mels = torch.stack([self._mel(samples) for samples in clips])
        if self.fp16:
            return self.model.encoder(mels.half())
        # Alone on CPUs: what a batch needs is too large for the allocator to keep and use again.
        return torch.cat([self.model.encoder(mel) for mel in mels.split(1)])

    def _mel(self, samples: np.ndarray) -> torch.Tensor:
        """The log-mel spectrum (n_mels, 3000) of a clip; its floor depends on its loudest frame."""
        return whisper.log_mel_spectrogram(
            whisper.pad_or_trim(samples), self.model.dims.n_mels, device=self.model.device
        )

    def _sample(self, clip: str, result: DecodingResult) -> DecodingResult:
        """A refused clip at the other temperatures, up to one that passes or the last."""
        states, language = result.audio_features[None], result.language
        for temperature in self.guards.temperatures[1:]:
            options = self._options(temperature, language)
            with _seeded(f"{clip} {temperature}", self.model.device):
                (result,) = whisper.decode(self.model, states, options)
            if not self._refuses(result):
                break
        return result

    def _slide(self, clip: str, samples: np.ndarray) -> Transcript:
        """A long clip in windows, each of which goes its own way through the temperatures."""
        with _seeded(clip, self.model.device):
            result = self.model.transcribe(
                samples,
                language=self.language,
                fp16=self.fp16,
                # Conditioning on what was said before carries one window's loop into the next.
                condition_on_previous_text=False,
                temperature=self.guards.temperatures,
                compression_ratio_threshold=self.guards.compression_ratio_threshold,
                logprob_threshold=self.guards.logprob_threshold,
                no_speech_threshold=self.guards.no_speech_threshold,
            )
        windows = [_scores(segment) for segment in result["segments"] if segment["tokens"]]
        return self._transcript(clip, samples, result["text"], result["language"], windows)

    def _refuses(self, result: DecodingResult) -> bool:
        return self.guards.judge(_scores(vars(result))) in FAILED

    def _of_window(self, clip: str, samples: np.ndarray, result: DecodingResult) -> Transcript:
        scores = _scores(vars(result))
        return self._transcript(clip, samples, result.text, result.language, [scores])

    def _transcript(
        self, clip: str, samples: np.ndarray, text: str, language: str, windows: list[Scores]
    ) -> Transcript:
        """The record of a clip: a single bad window makes all of it one not to learn from."""
        text = " ".join(text.split())
        verdicts = [self.guards.judge(scores) for scores in windows] if text else []
        heard = SPEECH if SPEECH in verdicts else SILENCE
        return Transcript(
            id=clip,
            text=text,
            language=language,
            verdict=next((verdict for verdict in verdicts if verdict in FAILED), heard),
            temperature=max((scores.temperature for scores in windows), default=0.0),
            avg_logprob=min((scores.avg_logprob for scores in windows), default=None),
            no_speech_prob=max((scores.no_speech_prob for scores in windows), default=None),
            compression_ratio=max((scores.compression_ratio for scores in windows), default=None),
            duration=len(samples) / whisper.audio.SAMPLE_RATE,
            model=self.name,
            sha256=self.sha256,
        )

    def _options(self, temperature: float, language: str | None) -> DecodingOptions:
        # With timestamps the model may stop at the end of a sentence, which is the cue to move
        # the window on; here the window is the clip.
        return DecodingOptions(
            temperature=temperature, language=language, fp16=self.fp16, without_timestamps=True
        )


def _scores(fields: Mapping[str, Any]) -> Scores:
    return Scores(*(fields[name] for name in Scores._fields))


@contextmanager
def _seeded(seed: str, device: torch.device) -> Iterator[None]:
    """Random numbers that depend on ``seed`` alone; the generators are put back afterwards."""
    digest = hashlib.sha256(seed.encode()).digest()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(int.from_bytes(digest[:8], "big"))
        yield


def _load(checkpoint: Path, device: str) -> whisper.Whisper:
    form = "a Whisper checkpoint in OpenAI's format (a .pt file with dims and model_state_dict)"
    content = load(checkpoint, device, f"Name {form}")
    try:
        dims, state = whisper.ModelDimensions(**content["dims"]), dict(content["model_state_dict"])
        own = _outline(dims)
    except Exception as error:  # a crafted checkpoint may fail anywhere
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise UserError(f"{checkpoint} is not {form}: {reason}") from error
    if misfit := misfits(own, state):
        raise UserError(f"{checkpoint} is not {form}: {misfit}")
    model = whisper.Whisper(dims)
    model.load_state_dict(state)
    return model.to(device)


def _outline(dims: whisper.ModelDimensions) -> dict[str, torch.Tensor]:
    """The tensors of a model, built without memory, so as to see first whether they are there."""
    counts = (dims.n_audio_layer, dims.n_audio_head, dims.n_text_layer, dims.n_text_head)
    if max(*counts, dims.n_text_ctx) > 1000:  # 32, 20 and 448 in the largest
        raise ValueError(f"no model has {dims}")
    audio = (dims.n_mels, dims.n_audio_ctx, dims.n_audio_state, *counts[1::-1])
    text = (dims.n_vocab, dims.n_text_ctx, dims.n_text_state, *counts[:1:-1])
    with torch.device("meta"):
        parts = {"encoder": AudioEncoder(*audio), "decoder": TextDecoder(*text)}
    return torch.nn.ModuleDict(parts).state_dict()


def _halve(model: whisper.Whisper) -> None:
    """Cast the large weights to half precision once; whisper does so at every call.

    Its normalisations stay in single precision, which is how they are computed.
    """
    for module in model.modules():
        if isinstance(module, torch.nn.Linear | torch.nn.Conv1d | torch.nn.Embedding):
            module.half()


def _keep_projections(model: whisper.Whisper) -> None:
    """Let the detection of the language and the decoding share the keys and values (1500 frames in
    each layer) that the decoder makes of the same hidden states."""
    for block in model.decoder.blocks:
        for projection in (block.cross_attn.key, block.cross_attn.value):
            projection.forward = lru_cache(maxsize=1)(projection.forward)


def _check_language(model: whisper.Whisper, language: str) -> str | None:
    """What to decode as; None lets the model find out."""
    if not model.is_multilingual:
        if language not in ("auto", "en"):
            raise UserError(
                f"--whisper_language {language}: this Whisper model knows English only; "
                "use a multilingual one (its name has no .en)"
            )
        return "en"
    if language == "auto":
        return None
    known = list(LANGUAGES)[: model.num_languages]
    if language not in known:
        codes = " ".join(sorted(known))
        raise UserError(f"--whisper_language {language}: use auto or one of {codes}")
    return language
