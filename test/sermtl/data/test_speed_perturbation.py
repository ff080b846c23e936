import pytest

from sermtl.data.speed_perturbation import (
    original_set,
    parse_factors,
    perturb,
    perturbed_set,
)
from sermtl.data.utterance import Utterance
from sermtl.errors import UserError


def test_factors_as_written_without_the_original():
    assert parse_factors("0.9 1.0 1.1") == ["0.9", "1.1"]
    assert parse_factors("0.5 2") == ["0.5", "2"]
    assert parse_factors("") == []


@pytest.mark.parametrize("text", ["fast", "0", "0.49", "2.01", "-1"])
def test_what_is_no_factor(text):
    with pytest.raises(UserError, match="speed_perturb_factors"):
        parse_factors(text)


def test_copies_have_ids_sets_and_speakers_of_their_own():
    known = Utterance(
        "s-1", "a.wav", "train", emotion="N", gender="male", speaker="s", text="words"
    )
    unknown = Utterance("u-1", "b.wav", "train")
    one, other = perturb([known, unknown], ["0.9"])
    assert (one.id, one.split, one.speaker, one.speed) == (
        "sp0.9-s-1",
        "train_sp0.9",
        "sp0.9-s",
        0.9,
    )
    assert (one.emotion, one.gender, one.text) == ("N", "male", "words")
    assert other.speaker is None
    assert perturbed_set("train", "0.9") == one.split


@pytest.mark.parametrize("name", ["train", "train_spoken", "_sp0.9", "train_sp"])
def test_names_that_are_no_copys(name):
    assert original_set(name) is None


def test_a_copys_name_tells_where_it_is_from():
    assert original_set(perturbed_set("train_sp1", "0.9")) == ("train_sp1", "0.9")
