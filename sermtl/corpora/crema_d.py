"""CREMA-D: the Crowd-sourced Emotional Multimodal Actors Dataset, its audio.

Cao et al. 2014, doi:10.1109/TAFFC.2014.2336244; Open Database License 1.0, contents under the
Database Contents License 1.0; https://github.com/CheyneyComputerScience/CREMA-D. 91 actors say
twelve sentences in six emotions. Labels are what was acted, not what listeners heard.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from sermtl.corpora.counts import differences, unmapped
from sermtl.corpora.files import files_below, matched
from sermtl.corpora.folds import numbered_folds
from sermtl.corpora.manifest import parse_gender, read_rows
from sermtl.data.labels import LabelInventory
from sermtl.data.utterance import Corpus, Utterance
from sermtl.errors import UserError

SENTENCES = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
PUBLISHED = {  # clips of each emotion
    "ANG": 1271, "DIS": 1271, "FEA": 1271, "HAP": 1271, "SAD": 1271, "NEU": 1087,
}  # fmt: skip
# actor_sentence_emotion_level; one clip's level was published as X
NAME = re.compile(
    rf"(10(?:0[1-9]|[1-8]\d|9[01]))_({'|'.join(SENTENCES)})_({'|'.join(PUBLISHED)})"
    r"_(?:LO|MD|HI|XX?)"
)
DEMOGRAPHICS = "VideoDemographics.csv"
FOLDS = 5


def load(labels: LabelInventory, datadir: Path, crema_d_root: str) -> Corpus:
    """Read ``AudioWAV/1001_IEO_ANG_HI.wav`` and ``VideoDemographics.csv`` below ``crema_d_root``.

    Fold k tests the actors with (actor - 1001) mod 5 = k - 1 and validates on those of the next
    fold. Clips that differ from the published counts are reported.

    Raises:
        UserError: if there are no clips, the table isn't there, has no sex column or lacks an
            actor, a clip has a name that isn't CREMA-D's or is there twice, or a fold has no actor.
    """
    files = files_below(crema_d_root, "crema_d_root", "AudioWAV/*.wav")
    genders = _genders(crema_d_root)
    utterances = []
    counts: Counter[str] = Counter()
    for file, match in matched(files, NAME, "CREMA-D"):
        actor, sentence, emotion = match.groups()
        if actor not in genders:
            raise UserError(f"{file}: {DEMOGRAPHICS} has no actor {actor}; is it cut off?")
        counts[emotion] += 1
        utterances.append(
            Utterance(
                id=f"crema_d{actor}-{file.stem}",
                audio=str(file),
                split=f"fold{(int(actor) - 1001) % FOLDS + 1}",
                emotion=labels.map(emotion),
                gender=genders[actor],
                speaker=f"crema_d{actor}",
                text=SENTENCES[sentence],
            )
        )
    notes = differences(counts, PUBLISHED, "emotion") + unmapped(labels, counts)
    return Corpus(utterances, numbered_folds(FOLDS, {u.split for u in utterances}), notes)


def _genders(root: str) -> dict[str, str | None]:
    """Gender of each actor, from the one table that has it."""
    what = f"{DEMOGRAPHICS} (get it from https://github.com/CheyneyComputerScience/CREMA-D)"
    found = files_below(root, "crema_d_root", what, DEMOGRAPHICS, [".csv"])
    path = next(iter(found.values()))
    genders = {}
    for line, row in read_rows(path, ["ActorID", "Sex"]):
        sex = row["Sex"].strip() or None
        genders[row["ActorID"].strip()] = parse_gender(f"{path}:{line}", sex)
    return genders
