"""A folder's summary as text for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sermtl.data.leaks import Leak
from sermtl.data.summary import SetSummary, Summary, labels
from sermtl.terminal import columns

SHOWN = 3  # entries of a list; JSON has all
TITLE = 22  # letters of the first column, so that all tables begin alike
GENDERS = {"female": 0, "male": 0}  # columns even where there are none


def table(summary: Summary) -> str:
    """All of a summary, long lists cut short."""
    rows = summary.sets + ([summary.total] if len(summary.sets) > 1 else [])
    names = [one.name for one in rows]
    sizes = [[str(one.utterances), f"{one.hours:.2f}", *_seconds(one)] for one in rows]
    blocks = [
        _grid("Sets", ["utterances", "hours", "min s", "median s", "max s"], names, sizes),
        _speakers(rows, names),
        _counts("Utterances by gender", names, [one.genders for one in rows], GENDERS),
        _counts("Utterances by emotion", names, [one.emotions for one in rows], {}),
        _leaks(summary.leaks),
        _listing("The same audio twice in a set", _repeats(summary)),
    ]
    if summary.copies:
        blocks.append(f"Left out, as copies at another speed: {', '.join(summary.copies)}")
    if summary.not_compared:
        blocks.append(
            f"Utterances whose audio is not compared: {summary.not_compared}; by their length they "
            "are stretches\nof their files, and only the dump folder has them as clips of their own"
        )
    return "\n\n".join(blocks)


def _seconds(one: SetSummary) -> list[str]:
    if one.seconds is None:
        return ["–"] * 3
    return [f"{value:.2f}" for value in one.seconds.values()]


def _speakers(rows: Sequence[SetSummary], names: list[str]) -> str:
    genders = labels([GENDERS, *(one.speakers for one in rows)])
    cells = [
        [one.speakers.total(), *(one.speakers[label] for label in genders), one.without_speaker]
        for one in rows
    ]
    header = ["all", *genders, "utterances without"]
    return _grid("Speakers", header, names, [list(map(str, row)) for row in cells])


def _counts(
    title: str, names: list[str], counts: Sequence[Counter[str]], always: dict[str, int]
) -> str:
    header = labels([always, *counts])
    return _grid(title, header, names, [[str(c[label]) for label in header] for c in counts])


def _grid(title: str, header: list[str], names: list[str], cells: list[list[str]]) -> str:
    """Text in columns, all but the first flush right."""
    lines = [[name, *row] for name, row in zip(names, cells, strict=True)]
    return columns([[title.ljust(TITLE), *header], *lines], right=range(1, len(header) + 1))


def _leaks(leaks: Sequence[Leak]) -> str:
    parts: dict[str, list[str]] = {"the same speakers": [], "the same audio": []}
    parts["the same utterance ids"] = []
    for leak in leaks:
        twins = [" = ".join(ids[0] for ids in clip.values()) for clip in leak.audio]
        for lines, found in zip(
            parts.values(), (leak.speakers, twins, leak.utterances), strict=True
        ):
            if found:
                lines.append(f"{' and '.join(leak.sets)}: {_some(found)}")
    return "Leaks\n" + "\n".join(f"  {_listing(what, lines, 4)}" for what, lines in parts.items())


def _repeats(summary: Summary) -> list[str]:
    return [
        f"{name}: {_some([' = '.join(ids) for ids in groups])}"
        for name, groups in summary.repeats.items()
    ]


def _listing(title: str, lines: list[str], indent: int = 2) -> str:
    if not lines:
        return f"{title}: none"
    return "\n".join([f"{title}:", *(" " * indent + line for line in lines)])


def _some(found: Sequence[str]) -> str:
    """How many, and the first of them."""
    more = ", …" if len(found) > SHOWN else ""
    return f"{len(found)} ({', '.join(found[:SHOWN])}{more})"
