"""From what the data files hold to what the model takes.

Workers prepare batches (`SERPreprocessor`, `collate`) and the training process finishes them
(`finish`). What lies between is kept small: each batch gets new shared memory, and to map that
costs more than all the rest.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from typeguard import typechecked

from sermtl.data.audio import FULL_SCALE
from sermtl.data.augmentation import Augmentation
from sermtl.data.labels import NO_CLASS
from sermtl.data.tokens import Tokenizer
from sermtl.data.utterance import UNKNOWN

PAD_TOKEN = -1


class SERPreprocessor:
    """Turns labels into class numbers and text into tokens, and changes samples.

    Args:
        inventories: the classes of ``emotion``, ``gender`` and ``speaker``. A label that is
            unknown or outside the inventory (a validation speaker, say) becomes -1.
        tokenizer: for the transcripts; ``None`` if there are none.
        augmentation: changes to the waveform, for training only.
        seed: of the augmentation, and of what is taken of long clips.
        longest: samples that are taken of a clip; what is said in part of it is unknown.
        anywhere: take another stretch of a long clip in every epoch; else its middle.
    """

    @typechecked
    def __init__(
        self,
        inventories: Mapping[str, Sequence[str]],
        tokenizer: Tokenizer | None = None,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        longest: int | None = None,
        anywhere: bool = False,
    ) -> None:
        self.indices = {
            task: {label: i for i, label in enumerate(labels)}
            for task, labels in inventories.items()
        }
        self.tokenizer = tokenizer
        self.augmentation = augmentation
        self.seed = seed
        self.longest, self.anywhere = longest, anywhere
        self.epoch = 0  # set before each epoch, so that they differ

    def __call__(self, utt_id: str, data: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """One utterance: ``speech``, class numbers and ``text`` ``(U,)`` token ids.

        Speech is ``(N,)`` samples, or hidden states ``(T, L+1, D)`` computed before; as stored
        (int16 or float16), or float32 where it is augmented.
        """
        speech, text = data["speech"], data.get("text", UNKNOWN)
        # Seeded by the utterance, so neither workers nor ranks change what it becomes.
        key = [self.seed, self.epoch, zlib.crc32(utt_id.encode())]
        if self.longest is not None and speech.ndim == 1 and len(speech) > self.longest:
            start = (len(speech) - self.longest) // 2
            if self.anywhere:
                start = np.random.default_rng([*key, 1]).integers(len(speech) - self.longest + 1)
            speech, text = speech[start : start + self.longest], UNKNOWN
        if self.augmentation is not None:
            if speech.dtype.kind == "i":
                speech = speech / np.float32(np.iinfo(speech.dtype).max + 1)
            speech = speech.astype(np.float32)
            speech = self.augmentation(speech, np.random.default_rng(key))
        sample = {"speech": speech}
        for task, index in self.indices.items():
            sample[task] = np.array(index.get(data[task], NO_CLASS), dtype=np.int64)
        tokens = self.tokenizer.encode(text) if self.tokenizer and text != UNKNOWN else []
        sample["text"] = np.array(tokens, dtype=np.int64)
        return sample


def collate(
    samples: Collection[tuple[str, Mapping[str, np.ndarray]]],
) -> tuple[list[str], dict[str, torch.Tensor | np.ndarray]]:
    """Pad samples to a batch: sequences get ``<name>_lengths``, class numbers become ``(B,)``.

    Speech is a tensor, padded with zeros. All else is numpy, text padded with -1: to hand over a
    tensor's shared memory takes a worker longer than to read a clip.
    """
    ids = [utt_id for utt_id, _ in samples]
    rows = [sample for _, sample in samples]
    batch: dict[str, torch.Tensor | np.ndarray] = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        if values[0].ndim == 0:
            batch[name] = np.stack(values)
            continue
        padded = _padded(values, PAD_TOKEN if name == "text" else 0)
        batch[name] = torch.from_numpy(padded) if name == "speech" else padded
        batch[f"{name}_lengths"] = np.array([len(value) for value in values])
    return ids, batch


def _padded(values: Sequence[np.ndarray], padding: int) -> np.ndarray:
    """Arrays ``(N_b, ...)`` as one, ``(B, N, ...)``."""
    shape = (len(values), max(map(len, values)), *values[0].shape[1:])
    result = np.empty(shape, values[0].dtype)
    for row, value in zip(result, values, strict=True):
        row[: len(value)], row[len(value) :] = value, padding
    return result


def finish(batch: Mapping[str, torch.Tensor | np.ndarray], device: str) -> dict[str, torch.Tensor]:
    """Everything as tensors, and speech as float32, on the device.

    Args:
        batch: from `collate`.
        device: ``cpu`` or ``cuda``.
    """
    tensors = {
        name: torch.as_tensor(value).to(device, non_blocking=True) for name, value in batch.items()
    }
    speech = tensors["speech"]
    tensors["speech"] = speech.float()
    if speech.dtype == torch.int16:
        tensors["speech"] /= FULL_SCALE
    return tensors
