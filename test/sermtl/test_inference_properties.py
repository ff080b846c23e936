"""However a set is dealt to jobs, its table is the same."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sermtl.inference import batches, merge, part_writer, shard_batches
from sermtl.prediction import Prediction

# A class, a speaker or a transcript has no line break: data dirs and tokens have none.
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20)


@given(st.lists(TEXT, min_size=1, max_size=20), st.integers(1, 5), st.randoms(), st.booleans())
def test_any_partition_gives_the_same_file(tmp_path_factory, texts, shards, random, embedded):
    ids = [f"u,{k:02d}" for k in range(len(texts))]
    said = {
        utt_id: Prediction(
            emotion=text,
            scores={"a": k / 20, '"b': 1 - k / 20},
            speaker_embedding=np.full(3, k, np.float32) if embedded else None,
            transcript=text[::-1],
        )
        for k, (utt_id, text) in enumerate(zip(ids, texts, strict=True))
    }

    def answer(dealt):
        folder = tmp_path_factory.mktemp("parts")
        for shard, names in enumerate(dealt, 1):
            with part_writer(folder, shard) as add:
                while names:  # in batches
                    names, batch = names[3:], names[:3]
                    add(batch, [said[name] for name in batch])
        written = merge(folder, len(dealt), ids)
        return [file.name for file in written], written[0].read_bytes()

    dealt = [[] for _ in range(shards)]
    for name in random.sample(ids, len(ids)):
        random.choice(dealt).append(name)
    assert answer(dealt) == answer([ids])


@given(
    st.lists(st.integers(400, 20_000_000), max_size=50),
    st.floats(0.1, 2000),
    st.integers(1, 8),
)
def test_shards_have_every_clip_once_within_the_limit(lengths, seconds, shards):
    dealt = [b for k in range(1, shards + 1) for b in shard_batches(lengths, seconds, k, shards)]
    assert sorted(dealt) == sorted(batches(lengths, seconds))
    assert sorted(i for batch in dealt for i in batch) == list(range(len(lengths)))
    for batch in dealt:
        padded = max(lengths[i] for i in batch) * len(batch)
        assert len(batch) == 1 or padded <= seconds * 16_000
