import pytest

from sermtl.corpora.folds import rotating_folds
from sermtl.errors import UserError


def test_each_set_is_tested_once_and_validated_on_once():
    folds = rotating_folds(["a", "b", "c"], {"a", "b", "c", "c_other"})
    assert list(folds) == ["1", "2", "3"]
    parts = [(fold.test, fold.valid, fold.train) for fold in folds.values()]
    assert parts == [(["a"], ["b"], ["c"]), (["b"], ["c"], ["a"]), (["c"], ["a"], ["b"])]


def test_missing_sets_are_named():
    with pytest.raises(UserError, match=r"lacks whole folds: .* of b, c$"):
        rotating_folds(["a", "b", "c"], {"a"})
