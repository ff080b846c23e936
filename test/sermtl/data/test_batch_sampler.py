from collections import Counter

import pytest

from sermtl.data.batch_sampler import LengthBucketSampler, RankSampler

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
        (9, 1.0, (4, None, 3), [3, 3, 3]),
        (5, 1.0, (4, None, 3), [5]),
        (5, 1.0, (2, None, 2), [3, 2]),
        (7, 1.0, (2, None, 2), [3, 2, 2]),
        (2, 1.0, (2, None, 2), [2]),
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
