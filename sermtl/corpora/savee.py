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
FLAT = re.compile(rf"({'|'.join(SPEAKERS)})_(.+)")


def load(labels: LabelInventory, datadir: Path, savee_root: str) -> Corpus:
    """Read ``AudioData/DC/a01.wav``, or the flat ``DC_a01.wav``, anywhere below ``savee_root``.

    Fold k leaves the k-th man out, validates on the next one and trains on the other two. There
    are no transcripts: the database has none that a program could read.

    Raises:
        UserError: if a speaker has no clips, or one has a name that isn't SAVEE's or is there
            twice.
    """
    what = " and ".join(f"{speaker}/*.wav or {speaker}_*.wav" for speaker in SPEAKERS)
    files = files_below(savee_root, "savee_root", what, key=_clip)
    utterances = []
    counts: Counter[str] = Counter()
    for clip, file in files.items():
        speaker, code = clip.split("_")
        emotion = NAME.fullmatch(code)[1]
        counts[emotion] += 1
        utterances.append(
            Utterance(
                id=f"savee{speaker}-{code}",
                audio=str(file),
                split=speaker,
                emotion=labels.map(emotion),
                gender="male",
                speaker=f"savee{speaker}",
            )
        )
    for speaker in SPEAKERS:
        if speaker not in {u.split for u in utterances}:
            raise UserError(
                f"no {speaker}/*.wav or {speaker}_*.wav below {savee_root}: is --savee_root right?"
            )
    notes = differences(counts, PUBLISHED, "emotion") + unmapped(labels, counts)
    return Corpus(utterances, rotating_folds(SPEAKERS, SPEAKERS), notes)


def _clip(file: Path) -> str:
    """``DC_a01``, be the speaker in front of the name or the name of the folder."""
    flat = FLAT.fullmatch(file.stem)
    speaker, code = flat.groups() if flat else (file.parent.name, file.stem)
    elsewhere = file.parent.name in SPEAKERS and file.parent.name != speaker
    if speaker not in SPEAKERS or elsewhere or not NAME.fullmatch(code):
        raise UserError(f"{file}: not the name of a clip of SAVEE; move it elsewhere")
    return f"{speaker}_{code}"
