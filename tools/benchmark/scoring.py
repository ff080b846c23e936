"""How long scoring takes, against loops of scikit-learn's functions over resamples.

Random answers of 30,000 utterances by 500 speakers are scored as stage 7 does, in memory: emotion,
gender, words, characters and speakers, each with a bootstrap of 1,000 resamples. The loop computes
the emotion's four figures of each resample of speakers with ``f1_score``, ``accuracy_score`` and
``recall_score``; it is run for some resamples and scaled to all. The paired test of word error
rates, of two systems on 150,000 utterances of unknown speakers, is the one whose resamples are
hardest to draw; its baseline draws utterances one by one.

    . tools/path.sh
    python tools/benchmark/scoring.py [--utterances 30000] [--repeats 5]
"""

from __future__ import annotations

import argparse
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from time import process_time

import numpy as np
from figures import Figure, add_option, in_turn, report, spread
from sklearn.metrics import accuracy_score, f1_score, recall_score

from sermtl.data.edit_distance import error_rate
from sermtl.errors import run_main
from sermtl.options import positive_int
from sermtl.scoring.intervals import RESAMPLES, paired_test, resampling_units
from sermtl.scoring.predictions import Predicted
from sermtl.scoring.scores import set_scores

CLASSES = list("AHSUFDCN")
SHARES = [0.1, 0.25, 0.1, 0.05, 0.05, 0.05, 0.05, 0.35]
PAIRED, PAIRED_RESAMPLES = 150_000, 10_000  # utterances, and `paired_test`'s default
LOOP, PAIRED_LOOP = 5, 20  # resamples of the baselines


def answers(utterances: int, speakers: int) -> Predicted:
    """Random ones, of which some are right."""
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.full(len(CLASSES), 0.5), utterances).round(6)
    emotions = random.choice(CLASSES, utterances, p=SHARES)
    right = random.random(utterances) < 0.4
    genders = random.choice(["female", "male"], (2, utterances))
    words = [f"word{i}" for i in range(1000)]
    texts = [random.choice(words, n) for n in random.integers(3, 25, utterances)]
    return Predicted(
        name="",
        ids=[f"u{i:06}" for i in range(utterances)],
        classes=CLASSES,
        probabilities=probabilities,
        references={
            "emotion": emotions.tolist(),
            "gender": genders[0].tolist(),
            "speaker": [f"s{i}" for i in random.integers(0, speakers, utterances)],
            "text": [" ".join(text) for text in texts],
        },
        answers={
            "emotion": np.where(
                right, emotions, np.take(CLASSES, probabilities.argmax(1))
            ).tolist(),
            "gender": genders[1].tolist(),
            "transcript": [" ".join(text[random.random(len(text)) < 0.8]) for text in texts],
        },
        task_weights={},
        embeddings=random.normal(size=(utterances, 256)).astype(np.float32),
        text_sources=["corpus"] * utterances,
        text_form="plain",
        training_texts=set(),
    )


def emotions_only(part: Predicted) -> Predicted:
    """What a model without auxiliary tasks answers."""
    return replace(part, answers={"emotion": part.answers["emotion"]}, embeddings=None)


def plain_loop(part: Predicted, resamples: int) -> Callable[[], object]:
    """The emotion's figures of resamples of speakers, by scikit-learn."""
    reference, answer = (np.array(side["emotion"]) for side in (part.references, part.answers))
    names, speaker = np.unique(part.references["speaker"], return_inverse=True)
    members = [np.flatnonzero(speaker == i) for i in range(len(names))]

    def run() -> list[tuple[float, ...]]:
        random = np.random.default_rng(0)
        scores = []
        for _ in range(resamples):
            drawn = np.concatenate(
                [members[i] for i in random.integers(len(names), size=len(names))]
            )
            pair = reference[drawn], answer[drawn]
            options = {"labels": CLASSES, "zero_division": 0}
            scores.append(
                (
                    f1_score(*pair, average="macro", **options),
                    f1_score(*pair, average="micro", **options),
                    accuracy_score(*pair),
                    recall_score(*pair, average="macro", **options),
                )
            )
        return scores

    return run


def word_counts(utterances: int) -> tuple[np.ndarray, np.ndarray]:
    """Two systems' errors and the words of each utterance, (N, 2) each."""
    random = np.random.default_rng(0)
    words = random.geometric(1 / 16, utterances).clip(1, 120)
    first = random.binomial(words, 0.3)
    second = np.where(random.random(utterances) < 0.5, first, random.binomial(words, 0.28))
    return np.stack([first, words], axis=1), np.stack([second, words], axis=1)


def draw_utterances(first: np.ndarray, second: np.ndarray, resamples: int) -> np.ndarray:
    """Differences of word error rates over resamples, one utterance at a time."""
    random = np.random.default_rng(0)
    both = np.concatenate([first, second], axis=1)
    drawn = (random.integers(len(both), size=len(both)) for _ in range(resamples))
    sums = np.array([both[i].sum(axis=0) for i in drawn])
    return error_rate(sums[:, 2:]) - error_rate(sums[:, :2])


def main() -> None:
    """Measure scoring and its baselines in turn."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--utterances", type=positive_int, default=30_000)
    parser.add_argument("--speakers", type=positive_int, default=500)
    parser.add_argument("--repeats", type=positive_int, default=5)
    add_option(parser)
    args = parser.parse_args()

    part = answers(args.utterances, args.speakers)
    alone = emotions_only(part)
    one, other = word_counts(PAIRED)
    units = resampling_units(["<unk>"] * PAIRED)

    def paired() -> object:
        return paired_test(one, other, units, {"wer": error_rate}, PAIRED_RESAMPLES)

    taken = in_turn(
        {
            "all": lambda: set_scores([part]),
            "emotion": lambda: set_scores([alone]),
            "loop": plain_loop(part, LOOP),
            "paired": paired,
            "paired loop": lambda: draw_utterances(one, other, PAIRED_LOOP),
        },
        args.repeats,
    )
    busy = [_processor_seconds(lambda: set_scores([part])) for _ in range(args.repeats)]
    tracemalloc.start()
    paired()
    peak = tracemalloc.get_traced_memory()[1]
    what = f"{args.utterances:,} utterances of {args.speakers} speakers, {RESAMPLES:,} resamples"
    loop = f"scikit-learn in a loop, {LOOP} resamples scaled"
    pairs = f"paired test of WER, {PAIRED:,} utterances, {PAIRED_RESAMPLES:,} resamples"
    report(
        [
            Figure(f"all scores of {what}", "", **spread(taken["all"]), unit="s", at_most=0.5),
            Figure(f"processor time of all scores of {what}", "", **spread(busy), unit="s"),
            _speed(f"emotion scores of {what}", loop, taken, "loop", "emotion", RESAMPLES / LOOP),
            Figure(pairs, "", **spread(taken["paired"]), unit="s"),
            _speed(
                pairs,
                f"utterances drawn one by one, {PAIRED_LOOP} resamples scaled",
                *(taken, "paired loop", "paired", PAIRED_RESAMPLES / PAIRED_LOOP),
            ),
            Figure(f"{pairs}: memory", "", peak / 1e6, unit="MB"),
        ],
        args.figures,
    )


def _processor_seconds(work: Callable[[], object]) -> float:
    """Which other processes on the machine don't add to."""
    begun = process_time()
    work()
    return process_time() - begun


def _speed(
    work: str, baseline: str, taken: dict[str, list[float]], slow: str, fast: str, scale: float
) -> Figure:
    ratios = [scale * a / b for a, b in zip(taken[slow], taken[fast], strict=True)]
    return Figure(f"{work}: times as fast", baseline, **spread(ratios))


if __name__ == "__main__":
    run_main(main)
