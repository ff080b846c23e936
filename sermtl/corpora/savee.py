"""SAVEE: the Surrey Audio-Visual Expressed Emotion database, its audio.

Jackson & Haq 2011, University of Surrey; for research, after registration at
http://kahlan.eps.surrey.ac.uk/savee/. Four men say sentences of TIMIT in seven emotions.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from sermtl.corpora.counts import differences, unmapped
from sermtl.corpora.files import AUDIO, walk
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
    utterances = []
    counts: Counter[str] = Counter()
    for speaker, clips in _files(savee_root).items():
        for code, file in clips.items():
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
    notes = differences(counts, PUBLISHED, "emotion") + unmapped(labels, counts)
    return Corpus(utterances, rotating_folds(SPEAKERS, SPEAKERS), notes)


def _files(root: str) -> dict[str, dict[str, Path]]:
    """Each speaker's clips by code: in a folder of his, or with his name in front."""
    clips: dict[str, dict[str, Path]] = {speaker: {} for speaker in SPEAKERS}
    for file in sorted(walk(Path(root).resolve())):
        if file.suffix.lower() not in AUDIO or file.name.startswith("._"):
            continue
        match = FLAT.fullmatch(file.stem)
        speaker, code = match.groups() if match else (file.parent.name, file.stem)
        elsewhere = file.parent.name in clips and file.parent.name != speaker
        if speaker not in clips or elsewhere or not NAME.fullmatch(code):
            raise UserError(f"{file}: not the name of a clip of SAVEE; move it elsewhere")
        if code in clips[speaker]:
            raise UserError(
                f"{file} is also at {clips[speaker][code]}: give the folder of one copy of the "
                "corpus"
            )
        clips[speaker][code] = file
    for speaker, of in clips.items():
        if not of:
            raise UserError(
                f"no {speaker}/*.wav or {speaker}_*.wav below {root}: is --savee_root right?"
            )
    return clips
