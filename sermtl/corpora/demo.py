"""The demo corpus: real words in eight acted emotions, spoken on the spot by eSpeak NG.

Emotions are prosody: rate, pitch, range, loudness, pauses, tremor and spectral tilt. Speakers
differ in voice, pitch, rate and room noise, and no speaker of one set is in another. Class counts
of the training set are long-tailed like MSP-Podcast's; validation and test are less so, that rare
classes can be scored at all. It shows that the pipeline works, and says nothing about real speech.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import signal
import sys
from dataclasses import asdict, dataclass
from multiprocessing.connection import wait
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile
from tqdm import tqdm

from sermtl.corpora.espeak import espeak
from sermtl.data.labels import LabelInventory
from sermtl.data.utterance import Corpus, Utterance
from sermtl.errors import UserError
from sermtl.files import atomic_write
from sermtl.jobs import end_with_parent

CHUNK = 100  # utterances that one process speaks


@dataclass(frozen=True)
class Style:
    """How an emotion sounds, relative to the speaker's neutral voice."""

    rate: float = 1.0
    pitch: int = 0  # of eSpeak's 100 steps
    pitch_range: float = 1.0
    gain: float = 0.0  # dB
    word_gap: int = 0  # 10 ms
    tremor: float = 0.0  # depth of a 7 Hz amplitude modulation
    tilt: float = 0.0  # first-order emphasis: > 0 brighter, < 0 duller


STYLES = {
    "A": Style(rate=1.12, pitch=6, pitch_range=1.3, gain=7, tilt=0.6),
    "H": Style(rate=1.10, pitch=16, pitch_range=1.7, gain=3, tilt=0.2),
    "S": Style(rate=0.72, pitch=-10, pitch_range=0.4, gain=-7, word_gap=4, tilt=-0.6),
    "F": Style(rate=1.28, pitch=22, pitch_range=0.6, gain=-3, tremor=0.6),
    "U": Style(rate=0.95, pitch=26, pitch_range=2.0, gain=4),
    "C": Style(rate=0.84, pitch=-4, pitch_range=0.7, gain=0, word_gap=9, tilt=0.3),
    "D": Style(rate=0.86, pitch=-14, pitch_range=1.3, gain=2, tremor=0.3, tilt=-0.3),
    "N": Style(),
}
SHARES = {  # of the 1.12 training set of the Odyssey 2024 challenge
    "N": 25106, "H": 13440, "S": 3882, "A": 3053, "U": 2897, "C": 2443, "D": 1426, "F": 1139,
}  # fmt: skip
SETS = {"train": 0.72, "valid": 0.12, "test": 0.16}  # share of the utterances
SPEAKERS = {"train": 16, "valid": 4, "test": 12}  # half of them women
VOICES = {"female": ["f1", "f2", "f3", "f4", "f5"], "male": [f"m{i}" for i in range(1, 8)]}
SENTENCES = """
the bus leaves at nine
my keys are on the kitchen table
she called me back this morning
we will meet at the station
the window was open all night
he wants to talk about the plan
there is a letter for you
nobody told me about the meeting
the train is twenty minutes late
put the bags in the car
i saw your brother yesterday
they are painting the front door
it has been raining since monday
dinner will be ready soon
you left the lights on again
the shop closes early today
this is the last one left
somebody is waiting downstairs
the phone rang during lunch
we found the dog in the garden
her flight arrives at seven
the coffee machine is broken
i have to finish this report
there were two people inside
the children are playing outside
he forgot his coat at home
let me show you the picture
the answer was on the second page
our neighbours moved out in spring
please read the first line
that was my favourite song
the road is closed ahead
they changed the locks last week
you can sit next to me
the box is heavier than it looks
i will write it down for you
she works in the old building
the water is already boiling
everybody heard what you said
we should ask the doctor
the key does not fit
my sister bought a boat
he came back without the money
the paper is in the drawer
this chair belongs to my father
the test results came today
i know where he lives
turn left at the corner
the party starts at eight
there is snow on the mountain
you have to sign here
the cat sleeps on the sofa
we walked home after dark
his name was on the list
the teacher gave us a week
they are building a new bridge
i never saw that man before
the music stopped at midnight
she keeps the tickets in her bag
the boat left without them
""".strip().splitlines()


@dataclass(frozen=True)
class Plan:
    """Everything that decides how one utterance sounds."""

    id: str
    split: str
    speaker: str
    gender: str
    emotion: str
    text: str
    voice: str
    rate: int
    pitch: int
    pitch_range: int
    gain: float
    word_gap: int
    tremor: float
    tilt: float
    noise: float  # dB below the speech
    seed: int


def load(
    labels: LabelInventory | None,
    datadir: Path,
    demo_utterances: str = "1200",
    demo_seed: str = "0",
) -> Corpus:
    """Speak the corpus below ``datadir/audio``; what is there already is kept.

    Args:
        labels: the recipe's; the classes are its letters.
        datadir: of the recipe.
        demo_utterances: in all sets together, at least 100.
        demo_seed: another one gives another corpus.

    Raises:
        UserError: if eSpeak NG is missing or an option is no such number.
    """
    if not (demo_utterances.isdigit() and int(demo_utterances) >= 100 and demo_seed.isdigit()):
        raise UserError(
            f"demo_utterances must be at least 100 and demo_seed a number, "
            f"not {demo_utterances} and {demo_seed}"
        )
    plans = plan(int(demo_utterances), int(demo_seed))
    folder = datadir / "audio" / f"{demo_utterances}-{demo_seed}"
    chunks = [plans[start : start + CHUNK] for start in range(0, len(plans), CHUNK)]
    todo = [
        (chunk, folder, index)
        for index, chunk in enumerate(chunks)
        if not _is_spoken(chunk, folder, index)
    ]
    if todo:
        _speak(todo)
    utterances = [
        Utterance(
            id=p.id,
            audio=str(folder / f"{p.id}.wav"),
            split=p.split,
            emotion=p.emotion,
            gender=p.gender,
            speaker=p.speaker,
            text=p.text,
        )
        for p in plans
    ]
    return Corpus(utterances, notes=["spoken by eSpeak NG: a demonstration, not real speech"])


def plan(utterances: int, seed: int) -> list[Plan]:
    """Draw speakers, emotions, sentences and their variation."""
    random = np.random.default_rng(seed)
    plans: list[Plan] = []
    counts = {split: round(utterances * share) for split, share in SETS.items()}
    counts["train"] += utterances - sum(counts.values())
    for split, count in counts.items():
        speakers = [
            (f"{split}{i:02d}", gender, *_speaker(gender, random))
            for i in range(SPEAKERS[split])
            for gender in [("female", "male")[i % 2]]
        ]
        emotions = _emotions(count, 1.0 if split == "train" else 0.5)
        order = random.permutation(len(emotions))
        for number, index in enumerate(order):
            emotion = emotions[index]
            speaker, gender, voice, pitch, rate, noise = speakers[number % len(speakers)]
            style = STYLES[emotion]
            plans.append(
                Plan(
                    id=f"{speaker}-{number:05d}",
                    split=split,
                    speaker=speaker,
                    gender=gender,
                    emotion=emotion,
                    text=str(random.choice(SENTENCES)),
                    voice=f"en-us+{voice}",
                    rate=round(rate * style.rate * random.normal(1, 0.05)),
                    pitch=int(np.clip(pitch + style.pitch + random.normal(0, 3), 0, 99)),
                    pitch_range=int(
                        np.clip(50 * style.pitch_range * random.normal(1, 0.12), 0, 99)
                    ),
                    gain=style.gain + random.normal(0, 1.5),
                    word_gap=max(0, round(style.word_gap + random.normal(0, 1))),
                    tremor=style.tremor,
                    tilt=style.tilt + random.normal(0, 0.08),
                    noise=noise,
                    seed=int(random.integers(2**31)),
                )
            )
    return plans


def _speaker(gender: str, random: np.random.Generator) -> tuple[str, int, float, float]:
    """Voice, pitch, words per minute and distance to the noise (dB)."""
    voice = str(random.choice(VOICES[gender]))
    return voice, int(random.normal(48, 7)), random.normal(165, 12), random.uniform(18, 35)


def _emotions(count: int, power: float) -> list[str]:
    """Classes in proportion to their shares to a power, each three times if there is room."""
    weights = {emotion: share**power for emotion, share in SHARES.items()}
    total = sum(weights.values())
    least = min(3, count // (2 * len(weights)))
    numbers = {e: max(least, round(count * w / total)) for e, w in weights.items()}
    numbers["N"] += count - sum(numbers.values())
    return [emotion for emotion, number in numbers.items() for _ in range(number)]


def _is_spoken(chunk: list[Plan], folder: Path, index: int) -> bool:
    record = folder / f"chunk{index}.json"
    return (
        record.exists()
        and json.loads(record.read_text()) == [asdict(p) for p in chunk]
        and all((folder / f"{p.id}.wav").exists() for p in chunk)
    )


def _speak(todo: list[tuple[list[Plan], Path, int]]) -> None:
    """Speak chunks in parallel, each in a fresh process.

    A fresh one, since the samples depend on what was spoken before. No pool, since that would
    wait forever for a process that was killed.
    """
    espeak()  # tells here if it is missing
    context = multiprocessing.get_context("spawn")
    errors = context.SimpleQueue()
    waiting = [
        context.Process(target=_speak_chunk, args=(*work, errors), daemon=True) for work in todo
    ]
    running: list[multiprocessing.process.BaseProcess] = []
    unit = f"x{CHUNK} utt"
    try:
        with tqdm(total=len(todo), unit=unit, desc="speaking", disable=None) as bar:
            while waiting or running:
                while waiting and len(running) < (os.cpu_count() or 1):
                    running.append(waiting.pop(0))
                    running[-1].start()
                wait([process.sentinel for process in running])
                for process in [p for p in running if p.exitcode is not None]:
                    running.remove(process)
                    if process.exitcode:
                        if not errors.empty():
                            raise errors.get()
                        raise UserError(
                            f"a process that speaks the demo corpus ended with status "
                            f"{process.exitcode}; run the same command again to continue"
                        )
                    bar.update()
    finally:
        for process in running:
            process.terminate()
            process.join()


def _speak_chunk(chunk: list[Plan], folder: Path, index: int, errors: SimpleQueue) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops this process
    end_with_parent()
    try:
        for p in chunk:
            content = io.BytesIO()  # soundfile hides what is wrong with a stream
            soundfile.write(content, _sound(p), espeak().rate, "PCM_16", format="WAV")
            with atomic_write(folder / f"{p.id}.wav", "wb") as stream:
                stream.write(content.getbuffer())
        with atomic_write(folder / f"chunk{index}.json") as stream:
            json.dump([asdict(p) for p in chunk], stream)
    except OSError as error:  # a full disk is the parent's to tell of
        errors.put(error)
        sys.exit(1)


def _sound(p: Plan) -> np.ndarray:
    """``(N,)`` float at eSpeak's rate, with silence trimmed, colour, tremor, loudness and noise."""
    engine = espeak()
    raw = engine.speak(p.text, p.voice, p.rate, p.pitch, p.pitch_range, 100, p.word_gap)
    speech = raw / 32768.0
    loud = np.flatnonzero(np.abs(speech) > 0.01)
    speech = speech[loud[0] : loud[-1] + 1]
    level = np.sqrt(np.mean(speech**2))
    speech = scipy.signal.lfilter([1.0, -p.tilt], [1.0], speech)
    time = np.arange(len(speech)) / engine.rate
    speech = speech * (1 + p.tremor * np.sin(2 * np.pi * 7 * time))
    speech *= level / np.sqrt(np.mean(speech**2)) * 10 ** ((p.gain - 9) / 20)
    random = np.random.default_rng(p.seed)
    noise = random.normal(0, level * 10 ** ((-9 - p.noise) / 20), len(speech))
    return np.clip(speech + noise, -1, 1)
