import pytest

from sermtl.data.tokens import AGAIN, Tokenizer
from sermtl.errors import UserError

TEXTS = ["kids are talking by the door", "dogs are sitting by the door", "it's źródło 9"] * 3


@pytest.mark.parametrize("token_type", ["bpe", "char"])
def test_round_trip_and_special_tokens(tmp_path, token_type):
    tokenizer = Tokenizer.train(TEXTS, 60, token_type)
    assert tokenizer.token_list[:2] == ["<blank>", "<unk>"]
    assert len(set(tokenizer.token_list)) == len(tokenizer.token_list)
    assert " " not in tokenizer.token_list
    names = ["bpe.model", "tokenizer.json", "tokens.txt"][token_type == "char" :]
    assert tokenizer.save(tmp_path) == [tmp_path / name for name in names]
    assert all((tmp_path / name).exists() for name in names)
    loaded = Tokenizer.load(tmp_path)
    assert loaded.token_list == tokenizer.token_list and loaded.model == tokenizer.model
    for text in TEXTS:
        ids = loaded.encode(text)
        assert 0 not in ids and 1 not in ids
        assert loaded.decode([0, *ids, 0]) == text


def test_bpe_merges_the_commonest_pair_first():
    tokenizer = Tokenizer.train(["ab ab ab abc"] * 3, 20)
    assert tokenizer.token_list[2:5] == ["ab", "\u2581ab", "\u2581abc"]
    assert sorted(tokenizer.token_list[-4:]) == ["a", "b", "c", "\u2581"]
    assert not {"<s>", "</s>"} & set(tokenizer.token_list)
    assert len(tokenizer.encode("ab abc")) == 2


def test_vocabularies_have_the_size_asked_for():
    characters = {c for text in TEXTS for c in text}  # the space stands for itself
    for size in (len(characters) + 3, 40):
        assert len(Tokenizer.train(TEXTS, size).token_list) == size + 1  # the blank
    with pytest.raises(UserError, match=f"too small: the text has {len(characters)} characters"):
        Tokenizer.train(TEXTS, len(characters) + 2)


def test_no_character_is_lost_or_changed():
    assert Tokenizer.train(["a b"] * 3000 + ["ź"], 20).encode("ź").count(1) == 0
    assert "ﬁ" in Tokenizer.train(["ﬁn"] * 3, 20).token_list  # as NFKC would not leave it


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


def damaged(folder, lines):
    (folder / "tokens.txt").write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(UserError) as raised:
        Tokenizer.load(folder)
    return str(raised.value)


@pytest.mark.parametrize("token_type", ["bpe", "char"])
def test_tokens_out_of_place_are_found(tmp_path, token_type):
    tokens = Tokenizer.train(TEXTS, 60, token_type).token_list
    Tokenizer.train(TEXTS, 60, token_type).save(tmp_path)
    told = "{}/tokens.txt:{}: {!r} is out of place, so this file or one beside it is damaged: "
    twice = [*tokens[:4], tokens[3], *tokens[5:]]
    assert damaged(tmp_path, twice) == told.format(tmp_path, 5, tokens[3]) + AGAIN
    swapped = [tokens[1], tokens[0], *tokens[2:]]
    assert damaged(tmp_path, swapped) == told.format(tmp_path, 1, tokens[1]) + AGAIN
    if token_type == "bpe":  # characters may stand in any order
        learnt = [*tokens[:3], tokens[4], tokens[3], *tokens[5:]]
        assert damaged(tmp_path, learnt) == told.format(tmp_path, 4, tokens[4]) + AGAIN
    (tmp_path / "tokens.txt").write_bytes(b"<blank>\n\xff\n")
    with pytest.raises(UserError, match=r"tokens.txt: not UTF-8: run stage 3 again"):
        Tokenizer.load(tmp_path)


def test_a_damaged_model_is_found(tmp_path):
    Tokenizer.train(TEXTS, 60).save(tmp_path)
    (tmp_path / "bpe.model").write_bytes(b"nonsense")
    with pytest.raises(UserError, match=r"bpe.model: damaged: run stage 3 again"):
        Tokenizer.load(tmp_path)
    (tmp_path / "bpe.model").unlink()
    with pytest.raises(UserError, match=r"bpe.model is missing: run stage 3 again"):
        Tokenizer.load(tmp_path)


def test_missing_files_say_which_stage(tmp_path):
    with pytest.raises(UserError, match="stage 3"):
        Tokenizer.load(tmp_path)
