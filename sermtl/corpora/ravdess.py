"""RAVDESS: The Ryerson Audio-Visual Database of Emotional Speech and Song, speech part.

Livingstone & Russo 2018, doi:10.1371/journal.pone.0196391; CC BY-NC-SA 4.0;
https://zenodo.org/records/1188976. 24 actors say two sentences in eight emotions.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from sermtl.corpora.counts import differences, unmapped
from sermtl.corpora.files import files_below, matched
from sermtl.corpora.folds import numbered_folds
from sermtl.data.labels import LabelInventory
from sermtl.data.utterance import Corpus, Utterance

# modality-channel-emotion-intensity-statement-repetition-actor
NAME = re.compile(r"0[1-3]-0[12]-(0[1-8])-0[12]-(0[12])-0[12]-(0[1-9]|1\d|2[0-4])")
SPEECH = "03-01-"  # modality: audio only; channel: speech, not song
STATEMENTS = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}
PUBLISHED = {"01": 96, **{f"0{i}": 192 for i in range(2, 9)}}  # clips of each emotion
FOLDS = 5


def load(labels: LabelInventory, datadir: Path, ravdess_root: str) -> Corpus:
    """Read ``Actor_XX/03-01-EM-IN-ST-RE-AC.wav`` (or FLAC) anywhere below ``ravdess_root``.

    Fold k tests the actors with (actor - 1) mod 5 = k - 1 and validates on those of the next
    fold. Song is left out. Clips that differ from the published counts are reported.

    Raises:
        UserError: if there are no clips, one has a name that isn't RAVDESS's or is there twice,
            or a fold has no actor.
    """
    files = files_below(ravdess_root, "ravdess_root", "Actor_XX/*.wav", "Actor_*/*")
    utterances = []
    counts: Counter[str] = Counter()
    song = 0
    for file, match in matched(files, NAME, "RAVDESS"):
        if not file.stem.startswith(SPEECH):
            song += 1
            continue
        emotion, statement, actor = match.groups()
        counts[emotion] += 1
        utterances.append(
            Utterance(
                id=f"ravdess{actor}-{file.stem}",
                audio=str(file),
                split=f"fold{(int(actor) - 1) % FOLDS + 1}",
                emotion=labels.map(emotion),
                gender="male" if int(actor) % 2 else "female",
                speaker=f"ravdess{actor}",
                text=STATEMENTS[statement],
            )
        )
    notes = [f"{song} clips that aren't audio-only speech are left out"] * bool(song)
    notes += differences(counts, PUBLISHED, "emotion") + unmapped(labels, counts)
    return Corpus(utterances, numbered_folds(FOLDS, {u.split for u in utterances}), notes)
