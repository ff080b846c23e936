"""ESD: Emotional Speech Dataset, ten speakers of Mandarin and ten of English in five emotions.

Zhou et al. 2021, doi:10.1109/ICASSP39728.2021.9413391; for research only, on signing a licence;
https://github.com/HLTSingapore/Emotional-Speech-Data. Each speaker says 350 sentences in each
emotion.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from sermtl.corpora.counts import differences, unmapped
from sermtl.corpora.files import files_below, matched
from sermtl.corpora.folds import numbered_folds
from sermtl.data.labels import LabelInventory
from sermtl.data.utterance import UNKNOWN, Corpus, Utterance
from sermtl.errors import UserError

# The k-th woman and the k-th man of a language are in fold k.
SPEAKERS = {
    "mandarin": {
        "female": ("0001", "0002", "0003", "0007", "0009"),
        "male": ("0004", "0005", "0006", "0008", "0010"),
    },
    "english": {
        "female": ("0015", "0016", "0017", "0018", "0019"),
        "male": ("0011", "0012", "0013", "0014", "0020"),
    },
}
FOLDS = 5
PUBLISHED = 350  # clips of each speaker and emotion
EMOTIONS = ("Angry", "Happy", "Neutral", "Sad", "Surprise")
# What Mandarin speakers' text files call them.
MANDARIN = dict(zip(("生气", "快乐", "中立", "伤心", "惊喜"), EMOTIONS, strict=True))
OWN_SPLIT = ("train", "evaluation", "test")  # folders below the emotions' in some copies
NAME = re.compile(r"(00(?:0[1-9]|1\d|20))_\d{6}")
# Tabs are meant; some lines have a space or two tabs in their place.
LINE = re.compile(r"(\d{4}_\d{6})\s+(\S.*?)\s+(\S+)")
IDEOGRAPH = re.compile("[\u3400-\u9fff]")


def load(
    labels: LabelInventory, datadir: Path, esd_root: str, esd_language: str = "english"
) -> Corpus:
    """Read ``<speaker>/<Emotion>/[<split>/]<speaker>_<id>.wav`` and ``<speaker>/<speaker>.txt``.

    Fold k tests two speakers of each language, a woman and a man, and validates on those of the
    next fold. ESD's own split, which has every speaker in all of its sets, isn't used.

    Args:
        labels: the recipe's inventory.
        datadir: not used.
        esd_root: holds the speakers' folders, at any depth.
        esd_language: ``english``, ``mandarin`` or ``all``.

    Raises:
        UserError: if there are no clips, one has a name or place that isn't ESD's or is there
            twice, a line of a text file can't be read or names another emotion than the folder,
            or a fold has no speaker.
    """
    if esd_language not in (*SPEAKERS, "all"):
        raise UserError(f"--esd_language is english, mandarin or all, not {esd_language!r}")
    persons = {  # speaker -> gender, set
        speaker: (gender, f"fold{k}")
        for language in (SPEAKERS if esd_language == "all" else [esd_language])
        for gender, speakers in SPEAKERS[language].items()
        for k, speaker in enumerate(speakers, 1)
    }
    utterances = []
    counts: dict[str, Counter[str]] = {"speaker": Counter(), "emotion": Counter()}
    texts: dict[Path, dict[str, tuple[int, str, str]]] = {}
    others = 0
    files = files_below(esd_root, "esd_root", "0001/Angry/*.wav", "*")
    for file, match in matched(files, NAME, "ESD"):
        name, speaker = match[0], match[1]
        if speaker not in persons:
            others += 1
            continue
        emotion, table = _place(file, speaker)
        if table not in texts:
            texts[table] = _read_texts(table, speaker)
        line, text, named = texts[table].pop(name, (0, "", emotion))
        if named != emotion:
            raise UserError(
                f"{table}:{line}: {named}, but the clip is {file}: correct the one that is wrong"
            )
        counts["speaker"][speaker] += 1
        counts["emotion"][emotion] += 1
        gender, fold = persons[speaker]
        utterances.append(
            Utterance(
                id=f"esd{speaker}-{name}",
                audio=str(file),
                split=fold,
                emotion=labels.map(emotion),
                gender=gender,
                speaker=f"esd{speaker}",
                text=text or None,
            )
        )
    notes = [f"{others} clips of the other language are left out"] * bool(others)
    notes += differences(
        counts["speaker"], dict.fromkeys(persons, PUBLISHED * len(EMOTIONS)), "speaker"
    )
    notes += differences(
        counts["emotion"], dict.fromkeys(EMOTIONS, PUBLISHED * len(persons)), "emotion"
    )
    if n := sum(u.text is None for u in utterances):
        notes.append(f"{n} clips aren't in their speaker's text file: their text is {UNKNOWN}")
    if n := sum(map(len, texts.values())):
        notes.append(f"{n} lines of text files have no clip")
    folds = numbered_folds(FOLDS, {u.split for u in utterances})
    return Corpus(utterances, folds, notes + unmapped(labels, counts["emotion"]))


def _place(file: Path, speaker: str) -> tuple[str, Path]:
    """The emotion that a clip's folder names, and the text file of its speaker."""
    folder = file.parent.parent if file.parent.name in OWN_SPLIT else file.parent
    if folder.name not in EMOTIONS or folder.parent.name != speaker:
        raise UserError(f"{file}: not in a folder {speaker}/<one of {', '.join(EMOTIONS)}>")
    return folder.name, folder.parent / f"{speaker}.txt"


def _read_texts(table: Path, speaker: str) -> dict[str, tuple[int, str, str]]:
    """Line number, text and emotion by clip; nothing if there is no such file."""
    texts: dict[str, tuple[int, str, str]] = {}
    if not table.is_file():
        return texts
    english = any(speaker in speakers for speakers in SPEAKERS["english"].values())
    for number, line in enumerate(_decoded(table).split("\n"), 1):
        if not line.strip():
            continue
        match = LINE.fullmatch(line.strip())
        emotion = MANDARIN.get(match[3], match[3]) if match else ""
        if not match or emotion not in EMOTIONS:
            raise UserError(f"{table}:{number}: not a clip, its text and its emotion: {line!r}")
        name, text, _ = match.groups()
        if english and IDEOGRAPH.search(text):
            raise UserError(f"{table}:{number}: Chinese in English: save the file as UTF-8")
        if name in texts:
            raise UserError(f"{table}:{number}: {name} is on line {texts[name][0]}, too")
        texts[name] = (number, text, emotion)
    return texts


def _decoded(table: Path) -> str:
    """A text file: the published ones are in UTF-16, ASCII and GB 2312, some copies in UTF-8."""
    content = table.read_bytes()
    # Names of clips in UTF-16 hold zero bytes, which the others never do. GB 18030 is GB 2312 and
    # more; it comes last, since it takes most of what is in UTF-8, too.
    for encoding in ("utf-16",) if b"\0" in content else ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            pass
    raise UserError(f"{table}: neither UTF-8, UTF-16 nor GB 18030; save the file as UTF-8")
