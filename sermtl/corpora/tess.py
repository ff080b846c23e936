"""TESS: the Toronto Emotional Speech Set.

Pichora-Fuller & Dupuis 2020, doi:10.5683/SP2/E8H2MF, which states the licence. Two women, aged 26
(YAF) and 64 (OAF), say 200 words in the phrase "Say the word ..." in seven emotions.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from sermtl.corpora.counts import differences, unmapped
from sermtl.corpora.files import files_below, matched
from sermtl.corpora.folds import require_sets
from sermtl.data.labels import LabelInventory
from sermtl.data.utterance import Corpus, Split, Utterance

SPEAKERS = ("OAF", "YAF")
EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad")  # ps: pleasant surprise
PUBLISHED = dict.fromkeys(EMOTIONS, 400)  # clips of each emotion
NAME = re.compile(rf"(OAF|YAF|OA)_([^\W_]+)_({'|'.join(EMOTIONS)})")  # speaker, word, emotion
MISNAMED = {"OA": "OAF"}  # one clip was published as OA_bite_neutral
HELD_OUT = 5  # of the words in order, each fifth is for validation


def load(labels: LabelInventory, datadir: Path, tess_root: str) -> Corpus:
    """Read ``OAF_back_angry.wav`` and its like anywhere below ``tess_root``.

    Fold 1 tests YAF, fold 2 OAF. The other woman is all there is to learn from, so validation
    can't be on another speaker: it is a fixed fifth of her words, in all emotions. Clips that
    differ from the published counts are reported.

    Raises:
        UserError: if there are no clips, one has a name that isn't TESS's or is there twice, or a
            speaker or a part of hers is missing.
    """
    files = files_below(tess_root, "tess_root", "OAF_*.wav and YAF_*.wav")
    clips = {match[0]: _parts(match) for _, match in matched(files, NAME, "TESS")}
    words = sorted({word for _, word, _ in clips.values()})
    held_out = set(words[HELD_OUT - 1 :: HELD_OUT])
    utterances = [
        Utterance(
            id=f"tess{speaker}-{name}",
            audio=str(files[name]),
            split=f"{speaker}_{'valid' if word in held_out else 'train'}",
            emotion=labels.map(emotion),
            gender="female",
            speaker=f"tess{speaker}",
            text=f"Say the word {word}.",
        )
        for name, (speaker, word, emotion) in clips.items()
    ]
    counts = Counter(emotion for _, _, emotion in clips.values())
    notes = differences(counts, PUBLISHED, "emotion") + unmapped(labels, counts)
    return Corpus(utterances, _folds({u.split for u in utterances}), notes)


def _parts(match: re.Match[str]) -> tuple[str, str, str]:
    """Speaker, word and emotion of a clip, from its name: those of folders vary."""
    speaker, word, emotion = match.groups()
    return MISNAMED.get(speaker, speaker), word, emotion


def _folds(present: set[str]) -> dict[str, Split]:
    """One woman to learn from and select on, the other to test."""
    sets = {speaker: [f"{speaker}_train", f"{speaker}_valid"] for speaker in SPEAKERS}
    require_sets([name for names in sets.values() for name in names], present)
    pairs = (SPEAKERS, SPEAKERS[::-1])
    return {
        str(k): Split(train=sets[known][:1], valid=sets[known][1:], test=sets[new])
        for k, (known, new) in enumerate(pairs, 1)
    }
