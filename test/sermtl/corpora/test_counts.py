from sermtl.corpora.counts import differences, unmapped
from sermtl.data.labels import LabelInventory


def test_differences_both_ways():
    found, published = {"a": 3, "b": 2, "new": 1}, {"a": 3, "b": 4, "c": 5}
    assert differences(found, published, "emotion") == [
        "emotion b has 2 clips, 4 are published",
        "emotion c has 0 clips, 5 are published",
        "emotion new has 1 clips, 0 are published",
    ]


def test_labels_without_a_class():
    labels = LabelInventory({"A": "anger"}, {"ang": "A", "xxx": None})
    assert unmapped(labels, {"ang": 5, "xxx": 2, "odd": 1}) == [
        "emotion odd has no class in labels.yaml: 1 clips are kept as <unk>",
        "emotion xxx has no class in labels.yaml: 2 clips are kept as <unk>",
    ]
