"""What an epoch's batches keep, whatever the lengths, limits, ranks and seeds."""

from collections import Counter, defaultdict
from types import SimpleNamespace

from espnet2.iterators.sequence_iter_factory import SequenceIterFactory
from hypothesis import example, given
from hypothesis import strategies as st

from sermtl.data.batch_sampler import JITTER, LengthBucketSampler, RankSampler

SEEDS = st.integers(0, 2**31)
EITHER = st.booleans()
DO_NOT_GO_ROUND = {  # seven utterances in batches of three for three ranks
    "durations": {f"u{i}": 1.0 + i for i in range(7)},
    "batch_size": 3,
    "max_seconds": 9.0,
    "world_size": 3,
    "classes": None,
    "shuffle": False,
}

FEW_SECONDS = {
    "durations": {f"u{i:02d}": 1.0 + i / 10 for i in range(40)},
    "batch_size": 20,
    "max_seconds": 16.0,
    "world_size": 2,
    "classes": None,
    "shuffle": True,
}


@st.composite
def setups(draw, shuffle=EITHER, classes=EITHER):
    world_size = draw(st.integers(1, 8))
    # Many alike, as well as all different: ties must not lose anything either.
    lengths = draw(
        st.lists(st.one_of(st.sampled_from([1.0, 7.5, 30.0]), st.floats(0.03, 300)), max_size=60)
    )
    lengths += [2.0] * max(0, world_size - len(lengths))
    ids = [f"u{i:02d}" for i in range(len(lengths))]
    labels = draw(st.lists(st.sampled_from("abc"), min_size=len(ids), max_size=len(ids)))
    return {
        "durations": dict(zip(ids, lengths, strict=True)),
        "batch_size": draw(st.one_of(st.just(world_size), st.integers(world_size, 20))),
        "max_seconds": draw(
            st.one_of(st.sampled_from([None, 3.0, 16.0, 65.0]), st.floats(0.5, 200))
        ),
        "world_size": world_size,
        "classes": dict(zip(ids, labels, strict=True)) if draw(classes) else None,
        "shuffle": draw(shuffle),
    }


def ranks(setup, seed, deal_rows):
    sampler, world = LengthBucketSampler(**setup), setup["world_size"]
    return [RankSampler(sampler, rank, world, deal_rows).generate(seed) for rank in range(world)]


@given(setups(), SEEDS)
def test_every_utterance_exactly_once(setup, seed):
    batches = LengthBucketSampler(**setup).generate(seed)
    assert Counter(u for batch in batches for u in batch) == Counter(list(setup["durations"]))


@given(setups(), SEEDS)
def test_in_training_every_rank_has_its_share_of_every_batch(setup, seed):
    batches = LengthBucketSampler(**setup).generate(seed)
    parts = ranks(setup, seed, deal_rows=True)
    assert {len(part) for part in parts} == {len(batches)}
    for k, batch in enumerate(batches):
        shares = [part[k] for part in parts]
        assert sorted(u for share in shares for u in share) == sorted(batch)
        sizes = [len(share) for share in shares]
        assert min(sizes) >= 1 and max(sizes) - min(sizes) <= 1


@given(setups(shuffle=st.just(False)), SEEDS)
def test_in_validation_every_batch_is_one_ranks(setup, seed):
    batches = LengthBucketSampler(**setup).generate(seed)
    dealt = [batch for part in ranks(setup, seed, deal_rows=False) for batch in part]
    assert sorted(dealt) == sorted(batches)


@given(setups(), SEEDS)
@example(DO_NOT_GO_ROUND, 0)
@example(FEW_SECONDS, 0)
def test_limits(setup, seed):
    """Batches keep both; but for one of the shortest utterances, where they don't go round."""
    durations, world = setup["durations"], setup["world_size"]
    limit = setup["max_seconds"] or float("inf")
    over = []
    for batch in LengthBucketSampler(**setup).generate(seed):
        rows = -(-len(batch) // world)
        padded = rows * max(durations[u] for u in batch)
        # An utterance that is longer by itself is alone, on a rank of its own.
        if len(batch) > setup["batch_size"] or (padded > limit and rows > 1):
            over.append(batch)
    assert len(over) <= (world > 1)
    for batch in over:
        assert len(batch) < 2 * world
        if setup["classes"] is None or not setup["shuffle"]:
            shortest = sorted(durations.values())[: len(batch)]
            alike = JITTER**2 if setup["shuffle"] else 1.0
            assert max(durations[u] for u in batch) <= alike * shortest[-1] * 1.0001


@given(setups(), SEEDS, st.randoms())
def test_the_seed_alone_decides(setup, seed, random):
    """Not the order in which a file lists the utterances, nor what was generated before."""
    first = LengthBucketSampler(**setup)
    expected = first.generate(seed)
    items = list(setup["durations"].items())
    random.shuffle(items)
    again = LengthBucketSampler(**setup | {"durations": dict(items)})
    again.generate(seed + 1)
    assert again.generate(seed) == expected == first.generate(seed)


@given(setups(shuffle=st.just(True)), SEEDS)
def test_epochs_differ(setup, seed):
    sampler = LengthBucketSampler(**setup)
    if len(sampler.generate(seed)) > 1:
        assert any(sampler.generate(seed + k) != sampler.generate(seed) for k in range(1, 9))


@given(setups(shuffle=st.just(True), classes=st.just(True)), SEEDS)
def test_of_a_class_most_have_company(setup, seed):
    """A batch's cut may part a pair, and a class of an odd number has one without a partner."""
    classes = setup["classes"]
    batches = LengthBucketSampler(**setup).generate(seed)
    alone = 0
    for batch in batches:
        counts = Counter(classes[u] for u in batch)
        alone += sum(n == 1 for n in counts.values())
    odd = sum(n % 2 for n in Counter(classes.values()).values())
    cuts = len(batches) - 1
    assert alone <= odd + 2 * cuts


@given(setups(), st.integers(0, 100), st.integers(1, 9))
def test_an_epoch_that_is_resumed_is_the_same(setup, seed, epoch):
    def epochs(first):
        """What ESPnet's loader takes in each epoch, from one that training begins with."""
        sampler = RankSampler(LengthBucketSampler(**setup), 0, setup["world_size"], True)
        dataset = defaultdict(SimpleNamespace)
        factory = SequenceIterFactory(dataset=dataset, batches=sampler, seed=seed)
        return {e: list(factory.build_iter(e).batch_sampler) for e in range(first, 11)}

    whole = epochs(1)
    assert epochs(epoch) == {e: batches for e, batches in whole.items() if e >= epoch}
