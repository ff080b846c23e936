"""RAVDESS: The Ryerson Audio-Visual Database of Emotional Speech and Song, speech part.

Livingstone & Russo 2018, doi:10.1371/journal.pone.0196391; CC BY-NC-SA 4.0;
https://zenodo.org/records/1188976. 24 actors say two sentences in eight emotions.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from sermtl.data.labels import LabelInventory
from sermtl.data.utterance import UNKNOWN, Corpus, Split, Utterance
from sermtl.errors import UserError

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
    root = Path(ravdess_root).resolve()  # so that a run from another folder finds its work done
    files = sorted(p for p in root.rglob("Actor_*/*") if p.suffix.lower() in (".wav", ".flac"))
    if not files:
        raise UserError(f"no Actor_XX/*.wav below {root}: is --ravdess_root right?")
    utterances = []
    counts: Counter[str] = Counter()
    seen: dict[str, Path] = {}
    song = 0
    for file in files:
        match = NAME.fullmatch(file.stem)
        if not match:
            raise UserError(f"{file}: not the name of a clip of RAVDESS; move it elsewhere")
        if not file.stem.startswith(SPEECH):
            song += 1
            continue
        if file.stem in seen:
            raise UserError(
                f"{file} is also at {seen[file.stem]}: give the folder of one copy of the corpus"
            )
        seen[file.stem] = file
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
    notes += [
        f"emotion {emotion} has {counts[emotion]} clips, {expected} are published"
        for emotion, expected in PUBLISHED.items()
        if counts[emotion] != expected
    ]
    notes += [
        f"emotion {emotion} has no class in labels.yaml: {n} clips are kept as {UNKNOWN}"
        for emotion, n in sorted(counts.items())
        if labels.map(emotion) is None
    ]
    present = {u.split for u in utterances}
    folds = {}
    for k in range(1, FOLDS + 1):
        test, valid = f"fold{k}", f"fold{k % FOLDS + 1}"
        train = [f"fold{i}" for i in range(1, FOLDS + 1) if f"fold{i}" not in (test, valid)]
        if {test, valid, *train} <= present:
            folds[str(k)] = Split(train, [valid], [test])
    if len(folds) < FOLDS:
        raise UserError(f"{root} lacks whole folds of actors: there are {sorted(present)}")
    return Corpus(utterances, folds, notes)
