"""A data or dump folder in figures: each set's size, speakers and labels, and what sets share."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from sermtl.data import SAMPLE_RATE
from sermtl.data.datadir import FILES, LENGTHS, DataDir, as_numbers, read_data_dir, read_lengths
from sermtl.data.leaks import Leak, find_leaks, shared_audio
from sermtl.data.speed_perturbation import original_set
from sermtl.data.splits import RESERVED
from sermtl.data.utterance import UNKNOWN
from sermtl.errors import UserError

BOTH = "both"  # a speaker whose utterances aren't all of one gender
ORDER = ("train", "", "val", "dev", "test", "eval")  # beginnings of names; "": any other


@dataclass(frozen=True)
class SetSummary:
    """One set, or several as one. Counts have ``<unk>`` among their keys where it occurs."""

    name: str
    durations: list[float]  # seconds, of each utterance
    emotions: Counter[str]  # utterances
    genders: Counter[str]  # utterances
    speakers: Counter[str]  # speakers by gender
    without_speaker: int  # utterances

    @property
    def utterances(self) -> int:
        """Their number."""
        return len(self.durations)

    @property
    def hours(self) -> float:
        """Of speech."""
        return sum(self.durations) / 3600

    @property
    def seconds(self) -> dict[str, float] | None:
        """The shortest, median and longest utterance; ``None`` for an empty set."""
        if not self.durations:
            return None
        lengths = {"min": min(self.durations), "median": median(self.durations)}
        lengths["max"] = max(self.durations)
        return {name: round(value, 3) for name, value in lengths.items()}

    def to_dict(self) -> dict[str, Any]:
        """All but the single durations, for JSON."""
        return {
            "utterances": self.utterances,
            "hours": round(self.hours, 4),
            "seconds": self.seconds,
            "speakers": {"all": self.speakers.total(), **_in_order(self.speakers)},
            "without_speaker": self.without_speaker,
            "genders": _in_order(self.genders),
            "emotions": _in_order(self.emotions),
        }


@dataclass(frozen=True)
class Summary:
    """A folder's sets, in the order of training, validation and test as their names tell."""

    sets: list[SetSummary]
    total: SetSummary
    copies: list[str]  # sets that are others at another speed, and left out
    leaks: list[Leak]
    repeats: dict[str, list[list[str]]]  # set -> ids with the same audio
    not_compared: int  # utterances whose audio can't be told from the folder

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "sets": {one.name: one.to_dict() for one in self.sets},
            "total": self.total.to_dict(),
            "copies": self.copies,
            "leaks": [{**vars(leak), "sets": list(leak.sets)} for leak in self.leaks],
            "repeats": self.repeats,
            "not_compared": self.not_compared,
        }


def summarise(folder: str | Path) -> Summary:
    """Read a recipe's data or dump folder, or one of its sets.

    Copies of a set at other speeds have its speakers under other names; they are left out.

    Raises:
        UserError: if there is no set, or one's files are missing, broken or don't fit together.
    """
    paths = _set_folders(Path(folder))
    copies = [name for name in paths if (original_set(name) or ("",))[0] in paths]
    paths = {name: path for name, path in paths.items() if name not in copies}
    sets = {name: read_data_dir(path) for name, path in paths.items()}
    durations = {
        name: as_numbers(path / "utt2dur", sets[name].columns["utt2dur"])
        for name, path in paths.items()
    }
    shared = shared_audio(sets, _lengths(paths, durations))
    repeats = {
        name: [clip[name] for clip in shared.clips if len(clip.get(name, [])) > 1] for name in sets
    }
    return Summary(
        [_describe(name, [sets[name]], durations[name].values()) for name in sets],
        _describe(
            "total", sets.values(), [d for of_set in durations.values() for d in of_set.values()]
        ),
        copies,
        find_leaks(sets, shared.clips),
        {name: groups for name, groups in repeats.items() if groups},
        shared.not_compared,
    )


def labels(counts: Iterable[Mapping[str, int]]) -> list[str]:
    """All keys, sorted, the unknown last."""
    return [*sorted({label for c in counts for label in c} - {UNKNOWN}), UNKNOWN]


def _in_order(counts: Mapping[str, int]) -> dict[str, int]:
    return {label: counts[label] for label in labels([counts]) if label in counts}


def _set_folders(folder: Path) -> dict[str, Path]:
    """The sets of a folder, or the folder itself if it is one."""
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}")
    if _is_set(folder):
        return {folder.resolve().name: folder}
    paths = [path for path in folder.iterdir() if path.name not in RESERVED and _is_set(path)]
    if not paths:
        raise UserError(
            f"{folder} has no set, which is a folder with {', '.join(FILES)}: give the data or "
            "dump folder of a recipe whose stage 1 is done, or one set of it"
        )
    return {path.name: path for path in sorted(paths, key=_rank)}


def _is_set(folder: Path) -> bool:
    """Whether a set is meant: one that lacks files is to be told of, not passed over."""
    return any((folder / name).is_file() for name in FILES)


def _rank(path: Path) -> tuple[int, str]:
    fitting = [k for k, start in enumerate(ORDER) if start and path.name.startswith(start)]
    return (fitting[0] if fitting else ORDER.index("")), path.name


def _lengths(
    paths: Mapping[str, Path], durations: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, int]]:
    """Samples at 16 kHz of each utterance, to the millisecond where they aren't counted."""
    if all((path / LENGTHS).exists() for path in paths.values()):
        return {name: read_lengths(path, durations[name]) for name, path in paths.items()}
    return {
        name: {u: round(d * SAMPLE_RATE) for u, d in of_set.items()}
        for name, of_set in durations.items()
    }


def _describe(name: str, parts: Iterable[DataDir], durations: Iterable[float]) -> SetSummary:
    columns = [part.columns for part in parts]
    genders_of: dict[str, set[str]] = defaultdict(set)
    for c in columns:
        for utt_id, speaker in c["utt2spk"].items():
            genders_of[speaker].add(c["utt2gender"][utt_id])
    genders_of.pop(UNKNOWN, None)
    return SetSummary(
        name,
        list(durations),
        Counter(label for c in columns for label in c["utt2emo"].values()),
        Counter(label for c in columns for label in c["utt2gender"].values()),
        Counter(_gender(sorted(genders - {UNKNOWN})) for genders in genders_of.values()),
        sum(speaker == UNKNOWN for c in columns for speaker in c["utt2spk"].values()),
    )


def _gender(known: Sequence[str]) -> str:
    """A speaker's gender from those of the utterances."""
    return BOTH if len(known) > 1 else known[0] if known else UNKNOWN
