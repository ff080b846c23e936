import pytest

from sermtl.data.datadir import write_data_dir
from sermtl.data.splits import resolve_splits, write_folds
from sermtl.data.utterance import Split
from sermtl.errors import UserError


@pytest.fixture
def datadir(tmp_path):
    for name in ("f1", "f2", "f3"):
        write_data_dir(tmp_path / name, {"utt2emo": {"u": "N"}})
    return tmp_path


FOLDS = {"1": Split(["f2"], ["f3"], ["f1"]), "2": Split(["f3"], ["f1"], ["f2"])}


def test_without_folds_the_named_sets(datadir):
    (run,) = resolve_splits(datadir, "", "f1 f2", "f3", "f3")
    assert (run.name, run.train, run.valid, run.test) == ("", ["f1", "f2"], ["f3"], ["f3"])


def test_all_folds_and_one(datadir):
    write_folds(datadir, FOLDS)
    runs = resolve_splits(datadir, "all")
    assert [run.name for run in runs] == ["fold1", "fold2"]
    assert runs[1].test == ["f2"]
    assert [run.name for run in resolve_splits(datadir, "2")] == ["fold2"]


@pytest.mark.parametrize(
    ("fold", "train", "message"),
    [("3", "", "there are 1, 2, or all"), ("", "f9", "no set 'f9'.*f1, f2, f3 .*--fold 1|2|all")],
)
def test_what_does_not_exist(datadir, fold, train, message):
    write_folds(datadir, FOLDS)
    with pytest.raises(UserError, match=message):
        resolve_splits(datadir, fold, train)


def test_folds_of_a_recipe_without(datadir):
    write_folds(datadir, FOLDS)
    write_folds(datadir, {})
    with pytest.raises(UserError, match="no folds"):
        resolve_splits(datadir, "all")
