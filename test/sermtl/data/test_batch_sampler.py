from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sermtl.data.batch_sampler import LengthBucketSampler, RankSampler


@st.composite
def setups(draw):
    world_size = draw(st.integers(1, 4))
    lengths = draw(st.lists(st.floats(0.1, 30), min_size=world_size, max_size=80))
    classes = draw(st.booleans())
    return {
        "durations": {f"u{i:02d}": length for i, length in enumerate(lengths)},
        "batch_size": draw(st.integers(world_size, 20)),
        "max_seconds": draw(st.one_of(st.none(), st.floats(5, 200))),
        "world_size": world_size,
        "classes": {f"u{i:02d}": str(i % 3) for i in range(len(lengths))} if classes else None,
        "shuffle": draw(st.booleans()),
    }


@settings(max_examples=200, deadline=None)
@given(setups(), st.integers(0, 2**31))
def test_every_utterance_once_within_limits_on_every_rank(setup, seed):
    sampler = LengthBucketSampler(**setup)
    batches = sampler.generate(seed)
    assert Counter(u for batch in batches for u in batch) == Counter(list(setup["durations"]))
    world = setup["world_size"]
    limit = setup["max_seconds"] or float("inf")
    for batch in batches:
        assert len(batch) >= world
        if len(batch) < 2 * world:  # the least that ranks can share is allowed over the limits
            continue
        assert len(batch) <= setup["batch_size"]
        longest = max(setup["durations"][u] for u in batch)
        assert longest * -(-len(batch) // world) <= limit
    parts = [
        RankSampler(sampler, rank, world, deal_rows=True).generate(seed) for rank in range(world)
    ]
    assert len({len(part) for part in parts}) == 1
    assert Counter(u for part in parts for b in part for u in b) == Counter(
        list(setup["durations"])
    )


DURATIONS = {f"u{i:03d}": 1 + (i * 37 % 100) / 10 for i in range(200)}


def test_epochs_differ_and_seeds_repeat():
    sampler = LengthBucketSampler(DURATIONS, 16)
    assert sampler.generate(1) == sampler.generate(1)
    assert sampler.generate(1) != sampler.generate(2)
    first, second = ({frozenset(b) for b in sampler.generate(seed)} for seed in (1, 2))
    assert len(first & second) <= 1


def test_seeds_are_of_any_size():
    sampler = LengthBucketSampler(DURATIONS, 16)
    assert sampler.generate(2**32 + 5) == sampler.generate(5)
    assert sampler.generate(1) != sampler.generate(3)


def test_iterating_is_the_epoch_of_seed_0():
    sampler = LengthBucketSampler(DURATIONS, 16)
    part = RankSampler(sampler, 1, 3, deal_rows=True)
    for one in (sampler, part):
        assert list(one) == one.generate(0) and len(one) == len(one.generate(0))


@pytest.mark.parametrize(
    ("count", "seconds", "limits", "sizes"),
    [
        (10, 9.0, (4,), [4, 4, 2]),
        (10, 1.0, (20, 3.0), [3, 3, 3, 1]),  # the limit itself is allowed
        (10, 0.25, (20, 0.75), [3, 3, 3, 1]),
        (10, 2.0, (20, 0.5), [1] * 10),
        (14, 1.0, (20, 3.5, 2), [6, 6, 2]),  # whose ranks have three rows each
        (7, 1.0, (3, None, 2), [3, 2, 2]),
        (9, 1.0, (4, None, 3), [4, 5]),
    ],
)
def test_batches_are_as_full_as_limits_allow(count, seconds, limits, sizes):
    names = [f"u{i:02}" for i in range(count)]
    batches = LengthBucketSampler(dict.fromkeys(names, seconds), *limits, shuffle=False).generate(0)
    assert [len(batch) for batch in batches] == sizes
    assert [name for batch in batches for name in batch] == names


def test_padding_is_little():
    sampler = LengthBucketSampler(DURATIONS, 8)
    padded = sum(max(DURATIONS[u] for u in b) * len(b) for b in sampler.generate(3))
    assert padded < 1.15 * sum(DURATIONS.values())


def test_pairs_give_every_anchor_a_positive():
    classes = {u: "rare" if i % 20 == 0 else "often" for i, u in enumerate(DURATIONS)}
    sampler = LengthBucketSampler(DURATIONS, 16, classes=classes)
    alone = 0
    for batch in sampler.generate(5):
        counts = Counter(classes[u] for u in batch)
        alone += sum(1 for count in counts.values() if count == 1)
    assert alone == 0


def test_validation_batches_are_sorted_the_same_always_and_dealt_whole():
    sampler = LengthBucketSampler(DURATIONS, 16, shuffle=False)
    batches = sampler.generate(1)
    assert batches == sampler.generate(2)
    lengths = [DURATIONS[u] for batch in batches for u in batch]
    assert lengths == sorted(lengths)
    dealt = [b for rank in range(3) for b in RankSampler(sampler, rank, 3, False).generate(0)]
    assert sorted(dealt) == sorted(batches)


@pytest.mark.parametrize("seconds", [0.0, -3.0])
def test_refuses_batches_of_no_length(seconds):
    with pytest.raises(ValueError, match="max_batch_seconds"):
        LengthBucketSampler(DURATIONS, 8, seconds)


def test_refuses_what_ranks_cannot_share():
    with pytest.raises(ValueError, match="batch_size"):
        LengthBucketSampler(DURATIONS, 2, world_size=4)
    with pytest.raises(ValueError, match="can't feed"):
        LengthBucketSampler({"a": 1.0}, 8, world_size=2)
