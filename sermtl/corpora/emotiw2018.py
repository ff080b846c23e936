"""EmotiW 2018, audio-video challenge: clips of films and television, AFEW.

Dhall et al. 2012, doi:10.1109/MMUL.2012.26; Dhall et al. 2018, doi:10.1145/3242969.3264972; on
request from the organisers, for research; https://sites.google.com/view/emotiw2018.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from sermtl.corpora.counts import differences, unmapped
from sermtl.corpora.files import files_below
from sermtl.data.labels import LabelInventory
from sermtl.data.utterance import Corpus, Utterance
from sermtl.errors import UserError

SETS = {"train": "Train_AFEW", "val": "Val_AFEW", "test": "Test_AFEW"}
HIDDEN = "test"  # has no folders of classes: the organisers keep its labels
CLASSES = ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")
PUBLISHED = {
    "train": dict(zip(CLASSES, (133, 74, 81, 150, 144, 117, 74), strict=True)),
    "val": dict(zip(CLASSES, (64, 40, 46, 63, 63, 61, 46), strict=True)),
    HIDDEN: {"unlabelled": 653},
}


def load(labels: LabelInventory, datadir: Path, emotiw2018_root: str) -> Corpus:
    """Read ``Train_AFEW/<Class>/*.avi``, ``Val_AFEW/<Class>/*.avi`` and ``Test_AFEW/*.avi``.

    A folder that isn't there is told of and left out. Clips in folders that are no class are in
    ``<set>_other``. Speakers, genders and words are unknown.

    Raises:
        UserError: if none of the folders is there, one has no clips, or one has a clip twice.
    """
    root = Path(emotiw2018_root).resolve()  # so that a run from another folder finds its work done
    present = {split: root / name for split, name in SETS.items() if (root / name).is_dir()}
    if not present:
        names = ", ".join(SETS.values())
        raise UserError(f"{root} has none of {names}: is --emotiw2018_root right?")
    absent = [split for split in SETS if split not in present]
    notes = [f"there is no {root / SETS[split]}, so no set {split}" for split in absent]
    utterances = []
    counts: Counter[str] = Counter()
    for split, folder in present.items():
        files = files_below(str(folder), "emotiw2018_root", "*.avi", suffixes=[".avi"])
        classes = {name: "" if f.parent == folder else f.parent.name for name, f in files.items()}
        found = Counter(name or "unlabelled" for name in classes.values())
        notes += differences(found, PUBLISHED[split], split)
        for name, file in files.items():
            emotion = None
            if classes[name]:
                counts[classes[name]] += 1
                emotion = labels.map(classes[name])
            utterances.append(
                Utterance(
                    id=f"emotiw2018-{split}-{name}",
                    audio=str(file),
                    split=split if emotion or split == HIDDEN else f"{split}_other",
                    emotion=emotion,
                )
            )
    return Corpus(utterances, notes=notes + unmapped(labels, counts))
