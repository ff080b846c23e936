"""`EmotionRecognizer`: a trained model as a Python object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch

from sermtl.data.audio import padded, read_audio, to_mono_16k
from sermtl.data.tokens import Tokenizer
from sermtl.errors import UserError
from sermtl.inference import batches
from sermtl.model.build import load_trained
from sermtl.model.ctc import greedy_tokens
from sermtl.model.precision import precision
from sermtl.model.ser_model import SERModel
from sermtl.packing import CONFIG, WEIGHTS, unpacked
from sermtl.training import FINAL_WEIGHTS

Audio = str | Path | BinaryIO | tuple[np.ndarray, int]
"""A path, a file object, or samples ``(N,)`` or ``(N, channels)`` and their rate in Hz."""


@dataclass(frozen=True)
class Prediction:
    """What the model says about one clip; what it wasn't trained for is ``None``."""

    emotion: str
    scores: dict[str, float]  # probability of each emotion
    gender: str | None = None
    gender_score: float | None = None  # probability of that gender
    speaker: str | None = None  # the training speaker it resembles most
    speaker_score: float | None = None
    speaker_embedding: np.ndarray | None = None  # (H,) float32
    task_weights: dict[str, float] | None = None  # share of each auxiliary task in the fusion
    transcript: str | None = None


class EmotionRecognizer:
    """Emotion, gender, speaker and words of speech, from one model.

    Args:
        model: in eval mode, on its device.
        tokenizer: turns CTC tokens to text; ``None`` without an ASR branch.
    """

    def __init__(self, model: SERModel, tokenizer: Tokenizer | None = None) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.device = next(model.parameters()).device

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        device: str = "cpu",
        weights: str = FINAL_WEIGHTS,
        dtype: str = "float32",
    ) -> EmotionRecognizer:
        """Load an experiment, or a packed model.

        Args:
            source: ``exp/<tag>``, ``exp/<tag>/fold<K>`` of an experiment with folds, a packed
                folder or archive (stage 8), or its name on the Hugging Face hub.
            device: ``cpu``, ``cuda``, ``cuda:1`` …
            weights: which of an experiment's weights.
            dtype: ``float32``, whatever the model was trained in, or ``bfloat16``, faster where the
                hardware has it; probabilities then differ by some thousandths.

        Raises:
            UserError: if there is no trained model, or no such device or type.
        """
        with unpacked(source) as folder:
            if (folder / CONFIG).exists():
                model, config = load_trained(folder / CONFIG, folder / WEIGHTS)
            else:
                model, config = load_trained(folder / "config.yaml", folder / weights)
            tokenizer = Tokenizer.load(folder / "tokens") if config["token_list"] else None
        model.dtype = precision(dtype)
        try:
            return cls(model.to(device), tokenizer)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(f"the device {device!r} can't be used: {reason}") from error

    def __call__(self, audio: Audio) -> Prediction:
        """Recognise one clip."""
        return next(self.stream([audio]))

    def stream(
        self, audios: Iterable[Audio], batch_seconds: float = 120.0, pool: int = 256
    ) -> Iterator[Prediction]:
        """Recognise many clips, lazily and in order.

        Args:
            audios: any number of clips.
            batch_seconds: padded audio in one batch.
            pool: clips read ahead, within which those of similar length share a batch.
        """
        remaining = iter(audios)
        while clips := [self._samples(audio) for audio in islice(remaining, pool)]:
            predictions: dict[int, Prediction] = {}
            for batch in batches([len(clip) for clip in clips], batch_seconds):
                answers = self.recognize([clips[i] for i in batch])
                predictions.update(zip(batch, answers, strict=True))
            yield from (predictions[i] for i in range(len(clips)))

    def _samples(self, audio: Audio) -> np.ndarray:
        """``(N,)`` float32 at 16 kHz, of a length that the encoder takes."""
        samples = to_mono_16k(*audio) if isinstance(audio, tuple) else read_audio(audio)
        reason = self.model.frontend.why_not(len(samples))
        if not np.isfinite(samples).all():
            reason = "samples that are not finite numbers"
        if reason:
            raise UserError(f"{audio if isinstance(audio, str | Path) else 'the clip'}: {reason}")
        return samples

    @torch.inference_mode()
    def recognize(self, clips: Sequence[np.ndarray]) -> list[Prediction]:
        """One batch of clips, each ``(N,)`` float32 at 16 kHz."""
        speech, lengths = padded(clips)
        outputs = self.model.outputs(speech.to(self.device), lengths.to(self.device))
        logits = outputs.logits
        probabilities = {
            task: logits[task].softmax(-1).cpu().numpy() for task in logits if task != "asr"
        }
        embeddings = _numpy(outputs.speaker_embedding)
        weights = _numpy(outputs.task_weights)
        texts = None
        if self.tokenizer is not None and "asr" in logits:
            tokens = greedy_tokens(logits["asr"], outputs.lengths)
            texts = [self.tokenizer.decode(row) for row in tokens]
        predictions = []
        for i in range(len(clips)):
            scores = dict(
                zip(self.model.emotions, probabilities["emotion"][i].tolist(), strict=True)
            )
            gender, gender_score = _best(probabilities, "gender", self.model.genders, i)
            speaker, speaker_score = _best(probabilities, "speaker", self.model.speakers, i)
            predictions.append(
                Prediction(
                    emotion=max(scores, key=scores.__getitem__),
                    scores=scores,
                    gender=gender,
                    gender_score=gender_score,
                    speaker=speaker,
                    speaker_score=speaker_score,
                    speaker_embedding=None if embeddings is None else embeddings[i],
                    task_weights=None
                    if weights is None
                    else dict(zip(self.model.tasks, weights[i].tolist(), strict=True)),
                    transcript=None if texts is None else texts[i],
                )
            )
        return predictions


def _best(
    probabilities: dict[str, np.ndarray], task: str, labels: Sequence[str], row: int
) -> tuple[str | None, float | None]:
    if task not in probabilities:
        return None, None
    best = int(probabilities[task][row].argmax())
    return labels[best], float(probabilities[task][row][best])


def _numpy(tensor: torch.Tensor | None) -> np.ndarray | None:
    return None if tensor is None else tensor.float().cpu().numpy()
