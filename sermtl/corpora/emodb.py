"""EmoDB: the Berlin Database of Emotional Speech, German.

Burkhardt et al. 2005, A Database of German Emotional Speech, Interspeech; free to download, with
the request to cite; http://emodb.bilderbar.info/. Ten actors say ten sentences in seven emotions;
published are the 535 clips whose emotion at least 80 % of the listeners recognised.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from sermtl.corpora.counts import differences, unmapped
from sermtl.corpora.files import files_below, matched
from sermtl.corpora.folds import rotating_folds
from sermtl.data.labels import LabelInventory
from sermtl.data.utterance import Corpus, Utterance

GENDERS = {
    "03": "male", "08": "female", "09": "female", "10": "male", "11": "male",
    "12": "male", "13": "female", "14": "female", "15": "male", "16": "female",
}  # fmt: skip
SENTENCES = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
# clips of each emotion: Wut, Langeweile, Ekel, Angst, Freude, Trauer, neutral
PUBLISHED = {"W": 127, "L": 81, "E": 46, "A": 69, "F": 71, "T": 62, "N": 79}
# speaker, sentence, emotion, version
NAME = re.compile(rf"({'|'.join(GENDERS)})({'|'.join(SENTENCES)})([{''.join(PUBLISHED)}])[a-z]?")


def load(labels: LabelInventory, datadir: Path, emodb_root: str) -> Corpus:
    """Read ``03a01Fa.wav`` and its like anywhere below ``emodb_root``.

    Fold k leaves the k-th speaker out, validates on the next one and trains on the other eight.
    Clips that differ from the published counts are reported.

    Raises:
        UserError: if there are no clips, one has a name that isn't EmoDB's or is there twice, or
            a speaker is missing.
    """
    files = files_below(emodb_root, "emodb_root", "wav/*.wav")
    utterances = []
    counts: Counter[str] = Counter()
    for file, match in matched(files, NAME, "EmoDB"):
        speaker, sentence, emotion = match.groups()
        counts[emotion] += 1
        utterances.append(
            Utterance(
                id=f"emodb{speaker}-{file.stem}",
                audio=str(file),
                split=f"speaker{speaker}",
                emotion=labels.map(emotion),
                gender=GENDERS[speaker],
                speaker=f"emodb{speaker}",
                text=SENTENCES[sentence],
            )
        )
    notes = differences(counts, PUBLISHED, "emotion") + unmapped(labels, counts)
    sets = [f"speaker{speaker}" for speaker in GENDERS]
    return Corpus(utterances, rotating_folds(sets, {u.split for u in utterances}), notes)
