"""`EmotionRecognizer`: a trained model as a Python object."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import torch

from sermtl.data import SAMPLE_RATE, WINDOW
from sermtl.data.audio import check_length, padded, read_audio, to_mono_16k
from sermtl.data.tokens import Tokenizer
from sermtl.data.windows import cut
from sermtl.errors import UserError, first_line
from sermtl.inference import batches
from sermtl.model.build import load_trained
from sermtl.model.ctc import greedy_tokens
from sermtl.model.precision import precision
from sermtl.model.ser_model import SERModel
from sermtl.packing import CONFIG, WEIGHTS, unpacked
from sermtl.prediction import Answer, Prediction, joined, windows_of
from sermtl.terminal import printable
from sermtl.training import FINAL_WEIGHTS

Audio = str | Path | bytes | BinaryIO | tuple[np.ndarray, int]
"""A path, a file's content, a file object, or samples ``(N,)`` or ``(N, channels)`` and their rate
in Hz."""

# oneDNN keeps what it compiles for each length, a thousand of them: gigabytes. A batch's layers are
# alike, and the next batch has another length. Read at the first use, after torch's import.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")

READ_AHEAD = 3600 * SAMPLE_RATE  # samples, about 230 MB
UNDEFINED = (
    "the model's numbers for it are infinite or undefined: try dtype float32, or other weights"
)


class EmotionRecognizer:
    """Emotion, gender, speaker and words of speech, from one model.

    Args:
        model: in eval mode, on its device.
        tokenizer: turns CTC tokens to text; ``None`` without an ASR branch.
        names: of the emotions, for people, by label.
    """

    def __init__(
        self,
        model: SERModel,
        tokenizer: Tokenizer | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.names = dict(names or {label: label for label in model.emotions})
        self.device = next(model.parameters()).device

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        device: str = "cpu",
        weights: str = FINAL_WEIGHTS,
        dtype: str = "float32",
        revision: str | None = None,
    ) -> EmotionRecognizer:
        """Load an experiment, or a packed model.

        Args:
            source: ``exp/<tag>``, ``exp/<tag>/fold<K>`` of an experiment with folds, a packed
                folder or archive (stage 8), or its name on the Hugging Face hub.
            device: ``cpu``, ``cuda``, ``cuda:1`` …
            weights: which of an experiment's weights.
            dtype: ``float32``, whatever the model was trained in, or ``bfloat16``, faster where the
                hardware has it; probabilities then differ by some thousandths.
            revision: branch, tag or commit on the hub.

        Raises:
            UserError: if there is no trained model, or no such device or type.
        """
        with unpacked(source, revision) as folder:
            if (folder / CONFIG).exists():
                model, config = load_trained(folder / CONFIG, folder / WEIGHTS)
            else:
                model, config = load_trained(folder / "config.yaml", folder / weights)
            tokenizer = Tokenizer.load(folder / "tokens") if config["token_list"] else None
            if tokenizer and tokenizer.token_list != config["token_list"]:
                raise UserError(f"{source}: its tokens aren't those of its configuration")
        model.dtype = precision(dtype)
        try:
            return cls(model.to(device), tokenizer, config["labels"].get("names"))
        except (RuntimeError, AssertionError) as error:
            reason = first_line(error)
            raise UserError(f"the device {device!r} can't be used: {reason}") from error

    def __call__(
        self, audio: Audio, window: float = WINDOW, max_seconds: float | None = None
    ) -> Prediction:
        """Recognise one recording.

        Args:
            audio: of any rate and any number of channels.
            window: seconds; a longer recording is cut into windows where it is quiet, each of
                which is recognised by itself. Short ones give a finer timeline.
            max_seconds: a longer recording is refused before it fills the memory: for services,
                whose recordings are others'.

        Raises:
            UserError: if it can't be read, or is too short or too long.
        """
        return next(self.stream([audio], window=window, max_seconds=max_seconds))

    def stream(
        self,
        audios: Iterable[Audio],
        batch_seconds: float = 120.0,
        window: float = WINDOW,
        pool: int = 256,
        errors: Literal["raise", "return"] = "raise",
        max_seconds: float | None = None,
    ) -> Iterator[Prediction | UserError]:
        """Recognise many recordings, lazily and in order.

        Args:
            audios: any number of recordings.
            batch_seconds: padded audio in one batch.
            window: as in `__call__`.
            pool: recordings read ahead, within which stretches of similar length share a batch; an
                hour of audio at most.
            errors: ``raise`` at the first recording that can't be read, once those before it have
                been answered; or ``return`` the `UserError` in its place, and go on.
            max_seconds: as in `__call__`.
        """
        longest = self.longest(window)
        remaining = iter(audios)
        while answers := self._next(remaining, batch_seconds, longest, pool, errors, max_seconds):
            for answer in answers:
                if isinstance(answer, UserError) and errors == "raise":
                    raise answer
                yield answer

    def recognize(
        self,
        clips: Sequence[np.ndarray],
        names: Sequence[str] = (),
        batch_seconds: float = 120.0,
        window: float = WINDOW,
    ) -> list[Prediction]:
        """Recognise clips, each ``(N,)`` float32 at 16 kHz.

        Args:
            clips: any number of them.
            names: theirs, for messages.
            batch_seconds, window: as in `stream`.

        Raises:
            UserError: if the model's numbers for a clip are none.
        """
        names = names or [f"clip {i}" for i in range(len(clips))]
        answers = self._recognize(names, clips, batch_seconds, self.longest(window))
        for answer in answers:
            if isinstance(answer, UserError):
                raise answer
        return answers

    def longest(self, window: float) -> int:
        """Samples of the longest clip that isn't cut.

        Raises:
            UserError: if the window is less than a second.
        """
        if not window >= 1.0:
            raise UserError(f"window: {window} s; it takes a second or more")
        limit = self.model.frontend.encoder.max_samples
        return min(round(window * SAMPLE_RATE), limit or sys.maxsize)

    def _next(
        self,
        audios: Iterator[Audio],
        batch_seconds: float,
        longest: int,
        pool: int,
        errors: str,
        max_seconds: float | None,
    ) -> list[Prediction | UserError]:
        """Answers for the next recordings, or why there are none; empty after the last."""
        names: list[str] = []
        clips: list[np.ndarray | UserError] = []
        samples = 0
        for audio in audios:
            is_path = isinstance(audio, str | Path)
            names.append(printable(str(audio)) if is_path else "the recording")
            try:
                clips.append(self._samples(audio, names[-1], max_seconds))
            except UserError as error:
                clips.append(error)
                if errors == "raise":
                    break
            else:
                samples += len(clips[-1])
            if len(clips) >= pool or samples >= READ_AHEAD:
                break
        return self._recognize(names, clips, batch_seconds, longest)

    def _recognize(
        self,
        names: Sequence[str],
        clips: Sequence[np.ndarray | UserError],
        batch_seconds: float,
        longest: int,
    ) -> list[Prediction | UserError]:
        """Cut what is long, recognise the pieces in batches, and join theirs."""
        pieces = [[] if isinstance(clip, UserError) else cut(clip, longest) for clip in clips]
        flat = [piece for of_clip in pieces for piece in of_clip]
        answers: dict[int, Answer | None] = {}
        for batch in batches([len(piece) for piece in flat], batch_seconds):
            answers.update(zip(batch, self._answers([flat[i] for i in batch]), strict=True))
        in_order = (answers[i] for i in range(len(flat)))
        results: list[Prediction | UserError] = []
        for name, clip, of_clip in zip(names, clips, pieces, strict=True):
            found = [next(in_order) for _ in of_clip]
            if isinstance(clip, UserError):
                results.append(clip)
            elif None in found:
                results.append(UserError(f"{name}: {UNDEFINED}"))
            else:
                results.append(self._prediction(found))
        return results

    def _samples(self, audio: Audio, name: str, max_seconds: float | None) -> np.ndarray:
        """``(N,)`` float32 at 16 kHz, within full scale and long enough for the encoder."""
        if isinstance(audio, tuple):
            try:
                given, rate = _checked(*audio)
                check_length(len(given) / rate if rate else 0, max_seconds)
                samples = to_mono_16k(given, rate)
            except UserError as error:
                raise UserError(f"{name}: {error}") from error
        else:
            source = io.BytesIO(audio) if isinstance(audio, bytes) else audio
            samples = read_audio(source, longest=max_seconds)
        if len(samples) < self.model.frontend.encoder.min_samples:
            raise UserError(f"{name}: {self.model.frontend.why_not(len(samples))}")
        return samples

    def _prediction(self, answers: Sequence[Answer]) -> Prediction:
        if len(answers) == 1:
            return answers[0].prediction(self.model.classes)
        windows = list(windows_of([answer.prediction(self.model.classes) for answer in answers]))
        return joined(answers).prediction(self.model.classes, windows)

    @torch.inference_mode()
    def _answers(self, clips: Sequence[np.ndarray]) -> list[Answer | None]:
        """Of one batch; none where the model's numbers are none."""
        speech, lengths = padded(clips)
        outputs = self.model.outputs(speech.to(self.device), lengths.to(self.device))
        logits, finite = outputs.logits, outputs.finite().tolist()
        probabilities = {
            task: logits[task].softmax(-1).cpu().numpy() for task in logits if task != "asr"
        }
        embeddings = _numpy(outputs.speaker_embedding)
        weights = _numpy(outputs.task_weights)
        texts = None
        if self.tokenizer is not None and "asr" in logits:
            tokens = greedy_tokens(logits["asr"], outputs.lengths)
            texts = [self.tokenizer.decode(row) for row in tokens]
        return [
            Answer(
                {task: rows[i] for task, rows in probabilities.items()},
                None if embeddings is None else embeddings[i],
                None
                if weights is None
                else dict(zip(self.model.tasks, weights[i].tolist(), strict=True)),
                None if texts is None else texts[i],
                len(clip) / SAMPLE_RATE,
            )
            if finite[i]
            else None
            for i, clip in enumerate(clips)
        ]


def _checked(samples: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
    """Samples from Python, whose shape tells whether they are what they should be."""
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and samples.shape[1] > samples.shape[0]):
        raise UserError(f"samples of shape {samples.shape}, not (N,) or (N, channels)")
    return samples, rate


def _numpy(tensor: torch.Tensor | None) -> np.ndarray | None:
    return None if tensor is None else tensor.float().cpu().numpy()
