import csv
from collections import Counter, defaultdict

import pytest

from sermtl.corpora.manifest_split import Item, divide, stored_split
from sermtl.errors import UserError


def corpus(speakers, per_speaker=20, emotions="abcd"):
    """Every speaker says as much in every emotion."""
    return [
        Item(f"s{s:02d}-{n:03d}", f"s{s:02d}", emotions[n % len(emotions)], "mf"[s % 2])
        for s in range(speakers)
        for n in range(per_speaker)
    ]


def sides(items, split):
    found = defaultdict(set)
    for item in items:
        found[split[item.id]].add(item.speaker)
    return found


def test_shares_and_balance_with_many_speakers():
    items = corpus(40)
    split, notes = divide(items, 0)
    assert notes == []
    shares = Counter(split.values())
    assert shares["test"] / len(items) == pytest.approx(0.15, abs=0.03)
    assert shares["valid"] / len(items) == pytest.approx(0.15, abs=0.03)
    genders = Counter(item.gender for item in items if split[item.id] == "test")
    assert abs(genders["m"] - genders["f"]) <= 20  # one speaker


def test_a_rare_emotion_is_on_every_side():
    # Only six of thirty speakers have the emotion; a random division often misses them.
    items = corpus(30) + [Item(f"r{s}", f"s{s:02d}", "rare", "m") for s in range(6)]
    for seed in range(5):
        split, _ = divide(items, seed)
        assert {split[f"r{s}"] for s in range(6)} == {"train", "valid", "test"}


def test_order_of_rows_is_immaterial_and_the_seed_is_not():
    items = corpus(12)
    assert divide(items, 0) == divide(items[::-1], 0)
    assert divide(items, 0)[0] != divide(items, 1)[0]


def test_unknown_speakers_go_to_train():
    items = [*corpus(6), Item("u", None, "a", None)]
    split, notes = divide(items, 0)
    assert split["u"] == "train"
    assert "1 utterances of unknown speakers" in notes[0]


@pytest.mark.parametrize("speaker", ["one", None])
def test_without_speakers_each_emotion_is_divided(speaker):
    items = [Item(f"{e}{n}", speaker, e, None) for e in "abc" for n in range(20)]
    items += [Item("lone", speaker, "d", None)]
    split, notes = divide(items, 0)
    assert "the same voices" in notes[0]
    for emotion in "abc":
        counts = Counter(split[i.id] for i in items if i.emotion == emotion)
        assert counts == {"train": 14, "valid": 3, "test": 3}
    assert split["lone"] == "train"


def test_too_few_utterances():
    with pytest.raises(UserError, match=r"2 utterances are too few .*column `split`"):
        divide([Item("a", None, "x", None), Item("b", None, "x", None)], 0)


def test_kept_until_source_or_seed_changes(tmp_path):
    items, path = corpus(12), tmp_path / "data" / "split.csv"
    split, _ = stored_split(path, items, "abc", 0)
    lines = path.read_text().splitlines()
    assert "abc" in lines[0]
    assert {row["id"]: row["split"] for row in csv.DictReader(lines[1:])} == split

    # By hand, one utterance to another side: it stays there.
    moved = next(utt_id for utt_id in split if split[utt_id] == "train")
    path.write_text(path.read_text().replace(f"{moved},train", f"{moved},test"))
    again, notes = stored_split(path, items, "abc", 0)
    assert again == {**split, moved: "test"}
    assert "read from" in notes[0]

    anew, notes = stored_split(path, items, "abd", 0)
    assert anew == split
    assert "made anew" in notes[0]
    assert stored_split(path, items, "abd", 1)[0] != split


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("s00-000,dev\n", "split.csv:3: not an utterance"),
        ("", "split.csv: s00-000 is missing"),
        ("s00-000\n", "split.csv:3: not an utterance"),
        ("s00-000,test\ns00-000,train\n", "split.csv:4: s00-000 is there twice"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, damage, message):
    items, path = corpus(12), tmp_path / "split.csv"
    stored_split(path, items, "abc", 0)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:2], damage, *lines[3:]]))
    with pytest.raises(UserError, match=f"{message}.*remove the file and a new one"):
        stored_split(path, items, "abc", 0)
