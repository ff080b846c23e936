"""Whether files are whole, and whether two folders hold the same results."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import soundfile
import torch
import yaml

from sermtl.data.audio import read_dump
from sermtl.data.datadir import read_column

# Who did what when differs, and is no result.
ASIDE = re.compile(r"\.lock$|\.log$|(^|/)([\w.]+\.)?(done|begun|prepared|scored)\.json$")
TIMES = re.compile(rb'"(\w+_)?time": [^,}\n]*')
PLACES = re.compile(rb"/[^\s\"]*?/(?=(data|dump)\b)")
TEMPORARY = re.compile(r"(^|/)\.")


def files_of(folder: Path) -> dict[str, Path]:
    """Results by their name below the folder."""
    names = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path for name, path in sorted(names.items()) if not ASIDE.search(name)}


def broken(folder: Path) -> list[str]:
    """Files under their final names that can't be read to their end."""
    found = []
    for name, path in files_of(folder).items():
        if TEMPORARY.search(name):
            continue
        try:
            _read(path)
        except Exception as error:
            found.append(f"{name}: {type(error).__name__}: {error}")
    for scp in folder.glob("dump/*/wav.scp"):
        if (scp.parent / "utt2num_samples").exists():  # written last
            dump = read_dump(scp.parent)
            for utt_id, length in zip(dump.ids, dump.lengths, strict=True):
                assert len(dump.samples(utt_id)) == length, utt_id
    return found


def _read(path: Path) -> None:
    kind = path.suffix
    if kind == ".json":
        json.loads(path.read_text())
    elif kind == ".jsonl":  # appended to: the last line may be on its way
        for line in path.read_text().split("\n")[:-1]:
            json.loads(line)
    elif kind == ".yaml":
        assert yaml.safe_load(path.read_text())
    elif kind == ".csv":
        with open(path, newline="") as stream:
            rows = list(csv.reader(stream))
        assert len({len(row) for row in rows}) == 1
    elif kind in (".zip", ".npz", ".pth"):
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
    elif kind == ".safetensors":
        from safetensors.torch import load_file

        load_file(path)
    elif kind == ".wav":
        samples, _ = soundfile.read(path)
        assert len(samples)
    elif kind == ".png":
        assert path.read_bytes().endswith(b"IEND\xaeB`\x82")
    elif kind == ".pdf":
        assert path.read_bytes().rstrip().endswith(b"%%EOF")
    elif kind == "" and path.name != "tiny.yaml":
        read_column(path)


def differences(folder: Path, reference: Path) -> list[str]:
    """What isn't the same in both folders: files that one lacks, and contents."""
    ours, theirs = files_of(folder), files_of(reference)
    found = [f"missing: {name}" for name in theirs.keys() - ours.keys()]
    found += [f"left over: {name}" for name in ours.keys() - theirs.keys()]
    found += [
        f"differs: {name}"
        for name in ours.keys() & theirs.keys()
        if not _same(ours[name], theirs[name])
    ]
    return sorted(found)


def _same(one: Path, other: Path) -> bool:
    """But for the seconds that things took, and the place of the folder."""
    if one.suffix == ".pth":
        return same_values(*(torch.load(path, weights_only=True) for path in (one, other)))
    contents = [path.read_bytes() for path in (one, other)]
    if one.suffix in (".json", ".scp"):
        contents = [PLACES.sub(b"", TIMES.sub(b"", content)) for content in contents]
    return contents[0] == contents[1]


def same_values(one: Any, other: Any) -> bool:
    """Bit by bit, but for the seconds that things took."""
    if isinstance(one, dict):
        timeless = [
            {k: v for k, v in values.items() if not str(k).endswith("time")}
            for values in (one, other)
        ]
        return timeless[0].keys() == timeless[1].keys() and all(
            same_values(value, timeless[1][key]) for key, value in timeless[0].items()
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same_values, one, other))
    if isinstance(one, torch.Tensor):
        bits = [value.reshape(-1).contiguous().view(torch.uint8) for value in (one, other)]
        return (one.dtype, one.shape) == (other.dtype, other.shape) and torch.equal(*bits)
    return one == other
