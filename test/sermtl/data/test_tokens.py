import pytest

from sermtl.data.tokens import Tokenizer
from sermtl.errors import UserError

TEXTS = ["kids are talking by the door", "dogs are sitting by the door", "it's źródło 9"] * 3


@pytest.mark.parametrize("token_type", ["bpe", "char"])
def test_round_trip_and_special_tokens(tmp_path, token_type):
    tokenizer = Tokenizer.train(TEXTS, 60, token_type)
    assert tokenizer.token_list[:2] == ["<blank>", "<unk>"]
    assert len(set(tokenizer.token_list)) == len(tokenizer.token_list)
    tokenizer.save(tmp_path)
    loaded = Tokenizer.load(tmp_path)
    assert loaded.token_list == tokenizer.token_list
    for text in TEXTS:
        ids = loaded.encode(text)
        assert 0 not in ids and 1 not in ids
        assert loaded.decode([0, *ids, 0]) == text


def test_small_corpora_get_small_vocabularies():
    tokenizer = Tokenizer.train(["a b", "b a"], 5000)
    assert len(tokenizer.token_list) < 12
    assert tokenizer.decode(tokenizer.encode("a b b")) == "a b b"


def test_training_is_deterministic():
    assert Tokenizer.train(TEXTS, 50).model == Tokenizer.train(TEXTS, 50).model


@pytest.mark.parametrize("token_type", ["bpe", "char"])
def test_unseen_characters_are_unknown(token_type):
    tokenizer = Tokenizer.train(TEXTS, 60, token_type)
    assert 1 in tokenizer.encode("köln")
    assert "<unk>" in tokenizer.decode(tokenizer.encode("köln"))


@pytest.mark.parametrize(
    ("texts", "size", "token_type", "message"),
    [
        ([], 50, "bpe", "no text"),
        (["", " "][:1], 50, "char", "no text"),
        (TEXTS, 5, "bpe", "too small"),
        (TEXTS, 50, "word", "bpe or char"),
    ],
)
def test_bad_input(texts, size, token_type, message):
    with pytest.raises(UserError, match=message):
        Tokenizer.train(texts, size, token_type)


def test_missing_files_say_which_stage(tmp_path):
    with pytest.raises(UserError, match="stage 3"):
        Tokenizer.load(tmp_path)
