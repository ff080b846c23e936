import pytest

from sermtl.data.datadir import write_data_dir
from sermtl.data.splits import is_set_name, resolve_splits, write_folds
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
    [
        ("3", "", "--fold 3: there are 1, 2, or all$"),
        (
            "",
            "f9",
            r"no set 'f9' in .*; there are f1, f2, f3 \(the recipe has folds: --fold 1\|2\|all\)$",
        ),
    ],
)
def test_what_does_not_exist(datadir, fold, train, message):
    write_folds(datadir, FOLDS)
    with pytest.raises(UserError, match=message):
        resolve_splits(datadir, fold, train)


def test_without_folds_none_are_offered(datadir, tmp_path_factory):
    with pytest.raises(UserError, match=r"there are f1, f2, f3$"):
        resolve_splits(datadir, "", "f9")
    with pytest.raises(UserError, match=r"there are none: run stage 1 first$"):
        resolve_splits(tmp_path_factory.mktemp("empty"), "", "f9")


def test_nothing_is_asked_for(datadir):
    (run,) = resolve_splits(datadir)
    assert (run.name, run.train, run.valid, run.test) == ("", [], [], [])


def test_copies_of_another_speed_join_the_training_sets(datadir):
    write_data_dir(datadir / "f1_sp0.9", {"utt2emo": {"u": "N"}})
    write_data_dir(datadir / "f1_sp1.1", {"utt2emo": {"u": "N"}})
    (run,) = resolve_splits(datadir, "", "f1", "f2", "f3", "0.9 1.1")
    assert run.train == ["f1", "f1_sp0.9", "f1_sp1.1"]
    assert (run.valid, run.test) == (["f2"], ["f3"])


def test_damaged_folds_are_told_with_what_to_do(datadir):
    (datadir / "folds.json").write_text("{")
    with pytest.raises(UserError, match="run stage 1 again"):
        resolve_splits(datadir, "all")


def test_names_of_sets():
    for name in ("train", "Test-1.2", "prüf_1"):
        assert is_set_name(name)
    for name in ("", "-x", ".x", "a b", "a/b", "tokens"):
        assert not is_set_name(name)


def test_folds_are_for_people_too(datadir):
    write_folds(datadir, FOLDS)
    assert (datadir / "folds.json").read_text().startswith('{\n "1": {\n  "train": [\n   "f2"')


def test_folds_of_a_recipe_without(datadir):
    write_folds(datadir, {})
    write_folds(datadir, FOLDS)
    write_folds(datadir, {})
    with pytest.raises(UserError, match="no folds"):
        resolve_splits(datadir, "all")
