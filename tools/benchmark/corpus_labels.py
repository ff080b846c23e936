"""How long reading MSP-Podcast's labels takes, against a plain loop over the same files.

Makes a tree of MSP-Podcast's size and layout (labels, partitions, transcripts, empty audio files)
in a temporary folder, and times ``load`` with ``label_columns``, which is all that stage 1 does
before it decodes audio. The baseline is what a script would do: ``csv.DictReader`` over the labels,
and ``open`` for every transcript. Both read from the page cache; the best of some turns counts.

    . tools/path.sh
    python tools/benchmark/corpus_labels.py [--utterances 150000] [--turns 3]
"""

from __future__ import annotations

import argparse
import csv
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sermtl.corpora.msp_podcast import load
from sermtl.data.datadir import label_columns
from sermtl.data.labels import load_labels
from sermtl.options import positive_int

LABELS = Path(__file__).parents[2] / "egs" / "msp_podcast" / "labels.yaml"
HEADER = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"
WORDS = ("so", "what", "I", "mean", "is", "that", "people", "don't", "really", "say", "it")


def make_corpus(root: Path, utterances: int) -> None:
    """A tree with that many labelled utterances."""
    draw = random.Random(0)
    for name in ("Audios", "Labels", "Transcripts"):
        (root / name).mkdir()
    rows, places = [HEADER], []
    for i in range(utterances):
        stem = f"MSP-PODCAST_{i // 100:04d}_{i % 100:04d}"
        split = draw.choices(["Train", "Development", "Test1", "Test2"], [6, 2, 2, 1])[0]
        speaker = i // 60
        gender = "Male" if speaker % 2 else "Female"
        rows.append(
            f"{stem}.wav,{draw.choice('AHSFUCDNOX')},4.2,3.8,4.4,{speaker},{gender},{split}"
        )
        places.append(f"{split}; {stem}.wav")
        (root / "Audios" / f"{stem}.wav").touch()
        words = draw.choices(WORDS, k=draw.randint(5, 30))
        (root / "Transcripts" / f"{stem}.txt").write_text(" ".join(words) + "\n")
    (root / "Labels" / "labels_consensus.csv").write_text("\n".join(rows) + "\n")
    (root / "Partitions.txt").write_text("\n".join(places) + "\n")


def baseline(root: Path) -> int:
    """Read labels and transcripts, and do nothing with them."""
    read = 0
    with open(root / "Labels" / "labels_consensus.csv", encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            stem = row["FileName"].removesuffix(".wav")
            with open(root / "Transcripts" / f"{stem}.txt", encoding="utf-8") as stream:
                read += bool(stream.read())
    return read


def ours(root: Path) -> int:
    """Read the corpus as stage 1 does."""
    corpus = load(load_labels(LABELS), root, str(root))
    return sum(text != "<unk>" for text in label_columns(corpus.utterances)["text"].values())


def seconds(work: Callable[[Path], int], root: Path, expected: int) -> float:
    """What one turn takes."""
    begin = time.perf_counter()
    if work(root) != expected:
        raise RuntimeError(f"{work.__name__} didn't read {expected} transcripts")
    return time.perf_counter() - begin


def main() -> None:
    """Make the tree, take turns, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--utterances", type=positive_int, default=150_000)
    parser.add_argument("--turns", type=positive_int, default=3)
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_corpus(root, args.utterances)
        times: dict[Callable[[Path], int], list[float]] = {baseline: [], ours: []}
        for _ in range(args.turns):
            for work, taken in times.items():
                taken.append(seconds(work, root, args.utterances))
    least = {work: min(taken) for work, taken in times.items()}
    for title, work in (("csv.DictReader and open", baseline), ("load and label_columns", ours)):
        every = ", ".join(f"{taken:.2f}" for taken in times[work])
        print(f"{title}: {least[work]:.2f} s for {args.utterances} utterances (turns: {every})")
    print(f"ratio: {least[ours] / least[baseline]:.2f}")


if __name__ == "__main__":
    main()
