"""SAVEE: the Surrey Audio-Visual Expressed Emotion database, its audio.

Jackson & Haq 2011, University of Surrey; for research, after registration at
http://kahlan.eps.surrey.ac.uk/savee/. Four men say sentences of TIMIT in seven emotions.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from sermtl.corpora.counts import differences, unmapped
from sermtl.corpora.files import files_below
from sermtl.corpora.folds import rotating_folds
from sermtl.data.labels import LabelInventory
from sermtl.data.utterance import Corpus, Utterance
from sermtl.errors import UserError

SPEAKERS = ("DC", "JE", "JK", "KL")
# clips of each emotion: anger, disgust, fear, happiness, neutral, sadness, surprise
PUBLISHED = {"a": 60, "d": 60, "f": 60, "h": 60, "n": 120, "sa": 60, "su": 60}
NAME = re.compile(rf"({'|'.join(PUBLISHED)})(\d\d)")  # emotion, sentence


def load(labels: LabelInventory, datadir: Path, savee_root: str) -> Corpus:
    """Read ``AudioData/DC/a01.wav``, or the flat ``DC_a01.wav``, anywhere below ``savee_root``.

    Fold k leaves the k-th man out, validates on the next one and trains on the other two. There
    are no transcripts: the database has none that a program could read.

    Raises:
        UserError: if a speaker has no clips, or one has a name that isn't SAVEE's or is there
            twice.
    """
    utterances = []
    counts: Counter[str] = Counter()
    for speaker in SPEAKERS:
        for name, file in _files(savee_root, speaker).items():
            match = NAME.fullmatch(name.removeprefix(f"{speaker}_"))
            if not match:
                raise UserError(f"{file}: not the name of a clip of SAVEE; move it elsewhere")
            counts[match[1]] += 1
            utterances.append(
                Utterance(
                    id=f"savee{speaker}-{match[0]}",
                    audio=str(file),
                    split=speaker,
                    emotion=labels.map(match[1]),
                    gender="male",
                    speaker=f"savee{speaker}",
                )
            )
    notes = differences(counts, PUBLISHED, "emotion") + unmapped(labels, counts)
    return Corpus(utterances, rotating_folds(SPEAKERS, SPEAKERS), notes)


def _files(root: str, speaker: str) -> dict[str, Path]:
    """A speaker's clips: in a folder of his, where names repeat between speakers, or by prefix."""
    nested = any(path.is_dir() for path in Path(root).rglob(speaker))
    pattern = f"{speaker}/*" if nested else f"{speaker}_*"
    return files_below(root, "savee_root", f"{speaker}/*.wav or {speaker}_*.wav", pattern)
