"""IEMOCAP: the Interactive Emotional Dyadic Motion Capture database, its utterances.

Busso et al. 2008, doi:10.1007/s10579-008-9076-6; for research, by the release form of
https://sail.usc.edu/iemocap/. In each of five sessions a woman and a man improvise and play
scripts; an utterance's label is what most annotators chose, or xxx where they didn't agree.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sermtl.corpora.counts import differences, unmapped
from sermtl.corpora.files import files_below
from sermtl.corpora.folds import rotating_folds
from sermtl.data.labels import LabelInventory
from sermtl.data.utterance import UNKNOWN, Corpus, Utterance
from sermtl.errors import UserError

# Session, dialog, turn. The dialog's F or M wears the markers; it is the turn's that talks.
ID = re.compile(r"Ses0([1-5])[FM]_\w+_([FM])[^\W_]+")
LABEL = re.compile(r"\[[\d.]+ - [\d.]+\]\s+(\S+)\s+(\S+)\s+\[.*\]")
TRANSCRIPT = re.compile(r"(\S+) \[[\d.]+-[\d.]+\]:(.*)")
SOUND = re.compile(r"\[[A-Z]+\]")  # [LAUGHTER], [BREATHING], [GARBAGE], [LIPSMACK]
GENDERS = {"F": "female", "M": "male"}
PUBLISHED = {  # utterances of each label
    "neu": 1708, "ang": 1103, "sad": 1084, "hap": 595, "exc": 1041, "fru": 1849,
    "sur": 107, "fea": 40, "dis": 2, "oth": 3, "xxx": 2507,
}  # fmt: skip
SESSIONS = [f"session{k}" for k in range(1, 6)]


@dataclass(frozen=True)
class Label:
    """The annotators' verdict on an utterance."""

    emotion: str
    file: Path  # where it stands


def load(labels: LabelInventory, datadir: Path, iemocap_root: str) -> Corpus:
    """Read ``Session<k>/sentences/wav`` with the labels and transcripts in ``Session<k>/dialog``.

    Fold k tests session k and validates on the next one. Utterances whose label is no class are
    in sets ``session<k>_other``, outside the folds. Sounds such as ``[LAUGHTER]`` are taken out of
    the transcripts: they are no words.

    Raises:
        UserError: if there is no audio, label or transcript, a name or line isn't IEMOCAP's, an
            utterance is there or labelled twice, or a session is missing.
    """

    def find(part: str, suffix: str) -> dict[str, Path]:
        what, pattern = f"Session*/{part}/*{suffix}", f"Session[1-5]/{part}/*"
        return files_below(iemocap_root, "iemocap_root", what, pattern, [suffix])

    audio = find("sentences/wav/*", ".wav")
    verdicts = _read_labels(find("dialog/EmoEvaluation", ".txt"))
    texts, notes = _read_transcripts(find("dialog/transcriptions", ".txt"))
    places = {name: _expected(verdict.file, name) for name, verdict in verdicts.items()} | audio
    utterances = []
    for name, place in sorted(places.items()):
        match = ID.fullmatch(name)
        if not match:
            raise UserError(f"{place}: not an utterance of IEMOCAP; move it elsewhere")
        session, talker = match.groups()
        emotion = labels.map(verdicts[name].emotion) if name in verdicts else None
        speaker = f"iemocap0{session}{talker}"
        utterances.append(
            Utterance(
                id=f"{speaker}-{name}",
                audio=str(place),
                split=f"session{session}" + ("" if emotion else "_other"),
                emotion=emotion,
                gender=GENDERS[talker],
                speaker=speaker,
                text=texts.get(name),
            )
        )
    counts = Counter(verdict.emotion for verdict in verdicts.values())
    notes = differences(counts, PUBLISHED, "label") + unmapped(labels, counts, "label") + notes
    notes += _compare(audio, verdicts, texts)
    return Corpus(utterances, rotating_folds(SESSIONS, {u.split for u in utterances}), notes)


def _expected(labels: Path, name: str) -> Path:
    """Where the audio of an utterance should be; if it isn't, stage 1 will tell."""
    return labels.parents[2] / "sentences" / "wav" / name.rpartition("_")[0] / f"{name}.wav"


def _read_labels(files: Mapping[str, Path]) -> dict[str, Label]:
    """Label of each utterance: the lines that begin with its time; others are single votes."""
    found: dict[str, Label] = {}
    for file in files.values():
        for number, line in enumerate(_lines(file), 1):
            if not line.startswith("["):
                continue
            match = LABEL.fullmatch(line)
            if not match or not ID.fullmatch(match[1]):
                raise UserError(
                    f"{file}:{number}: not a label line, `[start - end] utterance label [v, a, d]`"
                    f": {line!r}"
                )
            name, emotion = match.groups()
            if name in found:
                raise UserError(f"{file}:{number}: {name} is labelled in {found[name].file}, too")
            found[name] = Label(emotion, file)
    return found


def _read_transcripts(files: Mapping[str, Path]) -> tuple[dict[str, str | None], list[str]]:
    """Words of each utterance, ``None`` where there are only sounds; and notes."""
    found: dict[str, str | None] = {}
    nameless = repeated = 0
    for file in files.values():
        for line in filter(None, _lines(file)):
            match = TRANSCRIPT.fullmatch(line)
            if not match:
                nameless += 1  # "M: Yeah."
                continue
            text = " ".join(SOUND.sub(" ", match[2]).split())
            words = text if re.search(r"\w", text) else None
            repeated += found.setdefault(match[1], words) != words
    notes = [f"{nameless} lines of transcripts name no utterance and are left out"] * bool(nameless)
    if repeated:
        notes.append(f"{repeated} lines give an utterance another transcript: the first is kept")
    return found, notes


def _lines(file: Path) -> list[str]:
    """Lines of a text file, without white space around them."""
    try:
        return [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: not UTF-8, is it damaged? ({error})") from error


def _compare(
    audio: Mapping[str, Path], verdicts: Mapping[str, Label], texts: Mapping[str, str | None]
) -> list[str]:
    """Notes on what one of audio, labels and transcripts has and another lacks."""
    names = audio.keys() | verdicts.keys()
    wordless = sum(name in texts and texts[name] is None for name in names)
    counts = {
        f"utterances have no label line and are kept as {UNKNOWN}": len(audio.keys() - verdicts),
        "labelled utterances have no audio": len(verdicts.keys() - audio),
        "utterances have no transcript": len(names - texts.keys()),
        f"utterances have sounds for a transcript, no word: {UNKNOWN}": wordless,
        "transcripts belong to no utterance and are left out": len(texts.keys() - names),
    }
    return [f"{n} {what}" for what, n in counts.items() if n]
