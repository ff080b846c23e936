import os

import pytest

from sermtl import stage as module
from sermtl.stage import Stage, is_whole


@pytest.fixture
def work(tmp_path):
    """Finished work: input `in`, output `out`."""
    (tmp_path / "in").write_text("input")
    (tmp_path / "out").write_text("output")
    make(tmp_path).finish([tmp_path / "out"])
    return tmp_path


def make(folder, **options):
    return Stage(folder / "done.json", {"nj": 1, **options}, [folder / "in"])


def test_what_is_finished_is_done(work):
    assert make(work).is_done()


def test_what_was_never_finished_is_not(tmp_path):
    assert not make(tmp_path).is_done()


@pytest.mark.parametrize("options", [{"nj": 2}, {"new": None}])
def test_other_options_are_other_work(work, options):
    assert not make(work, **options).is_done()


def test_options_are_compared_as_json(work):
    make(work, sets=("a", "b"), path=work).finish([])
    assert make(work, sets=["a", "b"], path=str(work)).is_done()


def test_a_changed_input_undoes_and_a_touched_one_does_not(work):
    os.utime(work / "in", (1, 1))
    assert make(work).is_done()
    (work / "in").write_text("INPUT")
    assert not make(work).is_done()


def test_a_vanished_input_undoes(work):
    (work / "in").unlink()
    assert not make(work).is_done()


def test_large_inputs_are_told_apart_by_size_and_time(work, monkeypatch):
    monkeypatch.setattr(module, "HASHED_BYTES", 3)
    make(work).finish([])
    assert make(work).is_done()
    os.utime(work / "in", (1, 1))
    assert not make(work).is_done()


@pytest.mark.parametrize("damage", ["unlink", "truncate"])
def test_damaged_outputs_undo(work, damage):
    if damage == "unlink":
        (work / "out").unlink()
    else:
        (work / "out").write_text("out")
    assert not make(work).is_done()


def test_work_that_began_again_is_not_done(work):
    assert is_whole(work / "done.json")
    make(work).begin()
    assert not make(work).is_done() and not is_whole(work / "done.json")
    make(work).begin()  # nothing to forget


@pytest.mark.parametrize("content", ["", "{", "[]x", "null", "\udcff"])
def test_a_broken_marker_is_none(work, content):
    (work / "done.json").write_bytes(content.encode(errors="surrogateescape"))
    assert not make(work).is_done() and not is_whole(work / "done.json")
