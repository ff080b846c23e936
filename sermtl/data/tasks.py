"""The tasks whose answer about a whole utterance is a class: one table, which all stages read.

Each is a field of `sermtl.data.utterance.Utterance`, a file of data dirs, a branch of the model and
a column of its answers. Beside them is ASR, whose answer is a text.
"""

from __future__ import annotations

CLASS_FILES = {"emotion": "utt2emo", "gender": "utt2gender", "speaker": "utt2spk"}
"""Each task, and the file of its labels in a data dir."""

AUXILIARY = tuple(task for task in CLASS_FILES if task != "emotion")
"""Those beside emotion."""

CLOSED = tuple(task for task in AUXILIARY if task != "speaker")
"""Those whose classes are the same in training and test, so that answers can be right or wrong.
Test speakers are others than training's; they are compared in pairs."""

LABEL_FILES = {**CLASS_FILES, "text": "text"}
"""Each label of an utterance, and its file."""
