"""What sets share that should have nothing in common: speakers, utterances, audio."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from tqdm import tqdm

from sermtl.data import SAMPLE_RATE
from sermtl.data.audio import FULL_SCALE, dumped_samples, read_audio
from sermtl.data.datadir import DataDir, audio_file
from sermtl.data.utterance import UNKNOWN

ROUNDING = SAMPLE_RATE // 1000  # samples; utt2dur is in milliseconds

Clip = dict[str, list[str]]
"""Utterances with the very same audio: set -> ids."""


@dataclass(frozen=True)
class Leak:
    """What two sets have in common."""

    sets: tuple[str, str]
    speakers: list[str]
    utterances: list[str]  # ids
    audio: list[Clip]


@dataclass(frozen=True)
class SharedAudio:
    """Clips that more than one utterance has."""

    clips: list[Clip]
    not_compared: int  # utterances whose audio can't be told from the folder


def find_leaks(sets: Mapping[str, DataDir], clips: list[Clip]) -> list[Leak]:
    """The pairs of sets that share something. An unknown speaker is no one in particular."""
    speakers = {name: set(s.columns["utt2spk"].values()) - {UNKNOWN} for name, s in sets.items()}
    ids = {name: set(s.ids) for name, s in sets.items()}
    leaks = []
    for a, b in combinations(sets, 2):
        leak = Leak(
            (a, b),
            sorted(speakers[a] & speakers[b]),
            sorted(ids[a] & ids[b]),
            [{a: clip[a], b: clip[b]} for clip in clips if a in clip and b in clip],
        )
        if leak.speakers or leak.utterances or leak.audio:
            leaks.append(leak)
    return leaks


def shared_audio(
    sets: Mapping[str, DataDir], lengths: Mapping[str, Mapping[str, int]]
) -> SharedAudio:
    """Compare all utterances' samples, so that the container doesn't matter.

    Only audio of a length that occurs twice is read, and each file once.

    Args:
        sets: by name.
        lengths: set -> id -> samples at 16 kHz.

    Raises:
        UserError: if audio can't be read.
    """
    occurs = Counter(length for of_set in lengths.values() for length in of_set.values())
    alike = [
        (name, utt_id, place)
        for name, content in sets.items()
        for utt_id, place in content.columns["wav.scp"].items()
        if occurs[lengths[name][utt_id]] > 1
    ]
    contents = _contents(list(dict.fromkeys(place for _, _, place in alike)))
    clips: dict[bytes, Clip] = defaultdict(lambda: defaultdict(list))
    not_compared = 0
    for name, utt_id, place in alike:
        samples, digest = contents[place]
        # A data dir names the file of a stretch, but not where in it the stretch begins.
        if abs(samples - lengths[name][utt_id]) > ROUNDING:
            not_compared += 1
        else:
            clips[digest][name].append(utt_id)
    shared = [dict(clip) for clip in clips.values() if sum(map(len, clip.values())) > 1]
    return SharedAudio(shared, not_compared)


def _contents(places: list[str]) -> dict[str, tuple[int, bytes]]:
    """Number of samples and digest of each place; threads, as reading and hashing free the lock."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        read = tqdm(
            pool.map(_content, places), "comparing audio", len(places), unit="file", disable=None
        )
        return dict(zip(places, read, strict=True))


def _content(place: str) -> tuple[int, bytes]:
    samples = dumped_samples(place) if audio_file(place) != place else read_audio(place)
    steps = np.round(samples * FULL_SCALE).astype(np.int32)  # of the dump's 16 bit
    return len(samples), hashlib.sha256(steps).digest()
