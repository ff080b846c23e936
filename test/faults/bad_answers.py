"""Faults of tables of answers: ``sermtl score``'s, stage 7's, and further labels."""

from __future__ import annotations

from pathlib import Path

from bad_tables import Bad, both, harmless, noted, remove, replace, rewrite, write

REF, HYP = "ref.csv", "hyp.csv"
PEOPLE = ("ann", "bob", "cat", "dan")


def make_pair(folder: Path) -> None:
    """References, and answers of which a quarter is wrong."""
    told, said = ["id,emotion,gender,speaker,text"], ["id,emotion,gender,transcript"]
    for k in range(12):
        emotion, speaker = ("joy", "sad", "awe")[k % 3], PEOPLE[k % 4]
        told.append(f"u{k:02},{emotion},{'fm'[k % 2]},{speaker},good morning {speaker}")
        said.append(f"u{k:02},{'joy' if k % 4 == 0 else emotion},f,good morning")
    write(REF, "\n".join(told) + "\n")(folder)
    write(HYP, "\n".join(said) + "\n")(folder)


def _ref(old: str, new: str):
    return replace(REF, old, new)


def _hyp(old: str, new: str):
    return replace(HYP, old, new)


def _shape(change):
    return both(rewrite(REF, change), rewrite(HYP, change))


PAIRS = [
    Bad("no references", remove(REF), r"read .*ref\.csv: No such file"),
    Bad("answers a folder", both(remove(HYP), lambda f: (f / HYP).mkdir()), r"read .*hyp\.csv"),
    Bad("empty", write(HYP, ""), r"hyp\.csv:1: the file is empty"),
    Bad(
        "header only", rewrite(HYP, lambda text: text[: text.index("\n")]), r"hyp\.csv has a header"
    ),
    Bad("no ids", _hyp("id,", "name,"), r"hyp\.csv: .*must name a column id"),
    Bad("no emotions", _ref("emotion", "feeling"), r"ref\.csv: .*a column emotion or EmoClass"),
    Bad(
        "a column twice", _ref("gender", "emotion"), r"ref\.csv:1: two columns are called 'emotion'"
    ),
    Bad("an id twice", _hyp("u01", "u02"), r"hyp\.csv:4: u02 appears twice"),
    Bad("a reference twice", _ref("u01", "u02"), r"ref\.csv:4: u02 appears twice"),
    Bad("an empty id", _hyp("u01", ""), r"hyp\.csv:3: the id is empty"),
    Bad("a missing answer", _hyp("u01,sad,f,good morning\n", ""), r"no answer for 1 of 12 .*u01"),
    Bad("other ids", rewrite(HYP, lambda text: text.replace("u", "v")), r"no answer for 12 of 12"),
    Bad("an empty answer", _hyp("u01,sad", "u01,"), r"hyp\.csv:3: the answer for u01 is empty"),
    Bad("an unknown answer", _hyp("u01,sad", "u01,<unk>"), r"hyp\.csv:3: the answer for u01 is em"),
    Bad("too few fields", _hyp("sad,f,", "sad,"), r"hyp\.csv:3: 3 fields, .* 4 columns"),
    Bad("too many fields", _hyp("good morning", "good, morning"), r"hyp\.csv:2: 5 fields"),
    Bad("an unclosed quote", _ref("u01,", '"u01,'), r"ref\.csv:3: .*quote"),
    Bad("a third gender", _ref("u01,sad,m", "u01,sad,x"), r"ref\.csv:3: gender must be .*'x'"),
    Bad("UTF-16", rewrite(REF, lambda text: text.encode("utf-16")), r"ref\.csv:1: not UTF-8"),
    Bad("Latin-1", rewrite(REF, lambda text: text.encode() + b"\xe9\n"), r"ref\.csv:14: not UTF-8"),
    Bad("NUL", _ref("u01", "u\x0001"), r"ref\.csv:3: a NUL byte"),
    Bad("a long field", _ref("u01", "u" * 1_000_000), r"ref\.csv:3: .*limit"),
    Bad("a long id", _ref("u01", "u" * 100_000), r"no answer for 1 of 12 .*uuu"),
    Bad(
        "names alike", both(_ref("u01", "a/u01.wav"), _ref("u02", "b/u01.wav")), r"no answer for 2"
    ),
    harmless("BOM", _shape(lambda text: "\ufeff" + text)),
    harmless("CRLF", _shape(lambda text: text.replace("\n", "\r\n"))),
    harmless("TSV", _shape(lambda text: text.replace(",", "\t"))),
    harmless("semicolons", _shape(lambda text: text.replace(",", ";"))),
    harmless("empty lines", _shape(lambda text: text.replace("\n", "\n\n"))),
    harmless("a line break in a text", _ref("good morning ann", '"good\nmorning ann"')),
    harmless("a line separator in a text", _ref("good morning ann", "good\u2028morning ann")),
    harmless("another order", rewrite(HYP, lambda text: "\n".join([*_turned(text)]) + "\n")),
    noted("one answer too many", _hyp("u01", "u99,joy,f,x\nu01"), r"1 answers of .*hyp.* u99"),
    noted(
        "an answer in capitals", _hyp("u01,sad", "u01,Sad"), r"1 answers are 'Sad', which no ref"
    ),
    noted("an unknown reference", _ref("u01,sad", "u01,<unk>"), r"11 utterances .*, 1 without"),
    noted("an unknown gender", _ref("u01,sad,m", "u01,sad,<unk>"), r"gender on 11 utterances"),
    noted(
        "one class",
        rewrite(REF, lambda t: t.replace("sad", "joy").replace("awe", "joy")),
        r"which no",
    ),
]


def _turned(text: str) -> list[str]:
    head, *rows = text.splitlines()
    return [head, *reversed(rows)]


TABLE = "exp/tag/inference/test/predictions.csv"
FIRST = "test-000,sad"


def _number(value: str, column: int = 2):
    """Another number in the first row."""

    def change(text: str) -> str:
        rows = [line.split(",") for line in text.splitlines()]
        rows[1][column] = value
        return "".join(",".join(row) + "\n" for row in rows)

    return rewrite(TABLE, change)


def _exp(file: str, content: str):
    return write(f"exp/tag/{file}", content)


def _extra(content: str):
    return write("extra.csv", content)


PREDICTIONS = [
    Bad("missing", remove(TABLE), r"predictions\.csv is missing: run stage 6"),
    Bad("empty", write(TABLE, ""), r"predictions\.csv has no column 'id'"),
    Bad(
        "no probabilities",
        rewrite(TABLE, lambda t: t.replace("prob_", "p_")),
        r"columns emotion and",
    ),
    Bad(
        "a column twice",
        rewrite(TABLE, lambda t: t.replace("prob_happy", "prob_sad")),
        r"csv:1: a col",
    ),
    Bad("NaN", _number("nan"), r"predictions\.csv:2: prob_neutral of test-000 is 'nan'"),
    Bad("infinite", _number("inf"), r"predictions\.csv:2: prob_neutral .*'inf'"),
    Bad("a word", _number("much"), r"predictions\.csv:2: prob_neutral .*'much'"),
    Bad("no number", _number(""), r"predictions\.csv:2: prob_neutral .*''"),
    Bad("negative", _number("-0.1"), r"predictions\.csv:2: prob_neutral .*'-0\.1'"),
    Bad("in percent", _number("34"), r"predictions\.csv:2: prob_neutral .*'34'"),
    Bad("no distribution", _number("1"), r"predictions\.csv:2: the probabilities .* sum to 1\."),
    Bad("another class", _number("bored", 1), r"emotion of test-000 is 'bored'"),
    Bad("cut off", rewrite(TABLE, lambda text: text[:-60]), r"predictions\.csv:\d+: not as many"),
    Bad(
        "a row less", rewrite(TABLE, lambda t: t[: t.rindex("test-")]), r"lacks .* \(1\): test-059"
    ),
    Bad(
        "a row twice",
        rewrite(TABLE, lambda t: t.replace("test-001", "test-000")),
        r"csv:3: .*twice",
    ),
    Bad("a quote", rewrite(TABLE, lambda t: t.replace("test-003", '"test-003')), r"csv:5: .*quote"),
    Bad("no text", rewrite(TABLE, lambda text: text.encode("utf-16")), r"csv is not UTF-8"),
    Bad(
        "history.json cut off", _exp("history.json", '[{"epoch": 1,\n'), r"history\.json:2: no JSON"
    ),
    Bad("history.json empty", _exp("history.json", ""), r"history\.json:1: no JSON"),
    Bad("parameters.json cut off", _exp("parameters.json", "{"), r"parameters\.json:1: no JSON"),
    Bad("layer_weights.json cut off", _exp("layer_weights.json", "{"), r"weights\.json:1: no JSON"),
    Bad(
        "folds.json cut off", write("data/folds.json", '{"1":'), r"folds\.json:1: no JSON.*stage 1"
    ),
    harmless("CRLF", rewrite(TABLE, lambda text: text.replace("\n", "\r\n"))),
    harmless("BOM", rewrite(TABLE, lambda text: "\ufeff" + text)),
    harmless("another order", rewrite(TABLE, lambda text: "\n".join(_turned(text)) + "\n")),
    noted(
        "a reference outside", replace("dump/test/utt2emo", "happy", "glad"), r"outside .*glad 1"
    ),
    noted(
        "a test speaker in train",
        rewrite("dump/train/utt2spk", lambda text: text.replace("train00", "test00")),
        r"1 of 12 speakers \(5 utterances\) were in training, too",
    ),
    noted(
        "a class absent from train",
        rewrite("dump/train/utt2emo", lambda text: text.replace("sad", "happy")),
        r"training has no 'sad' \(\d+ utterances here\)",
    ),
    noted(
        "all labels unknown",
        rewrite(
            "dump/test/utt2emo",
            lambda t: "".join(f"{r.split()[0]} <unk>\n" for r in t.splitlines()),
        ),
        r"0 utterances with an emotion, 60 without",
    ),
]
EXTRA = [
    Bad("extra: empty", _extra(""), r"extra\.csv:1: the file is empty"),
    Bad("extra: header only", _extra("id,gender\n"), r"extra\.csv has a header and no rows"),
    Bad("extra: no ids", _extra("utt,gender\nx,f\n"), r"extra\.csv:1: .*no column `id`"),
    Bad("extra: another column", _extra("id,age\nx,3\n"), r"extra\.csv: column 'age' is none of"),
    Bad("extra: a column twice", _extra("id,text,text\nx,a,b\n"), r"extra\.csv:1: two columns"),
    Bad("extra: an id twice", _extra("id,gender\nx,f\nx,m\n"), r"extra\.csv:3: x appears twice"),
    Bad(
        "extra: a third gender", _extra("id,gender\ntest-000,x\n"), r"extra\.csv:2: gender must be"
    ),
    Bad(
        "extra: nobody",
        _extra("id,gender\nx,f\n"),
        r"'gender' has no label of any tested utterance",
    ),
    Bad("extra: an empty column", _extra("id,gender,text\ntest-000,f,\n"), r"'text' has no label"),
    noted(
        "extra: a few",
        _extra("id;gender\ntest-000;f\nx;f\n"),
        r"1 of 2 utterances are in no tes.* x",
    ),
    noted("extra: TSV", _extra("id\temotion\ntest-000\tglad\n"), r"outside .*glad 1"),
]
RESULTS = [
    Bad(
        "results.json cut off",
        rewrite("exp/tag/results.json", lambda t: t[:-9]),
        r"json:\d+: no JSON",
    ),
    Bad("results.json empty", _exp("results.json", ""), r"results\.json:1: no JSON.*stage 7"),
    Bad(
        "results.json no text",
        write("exp/tag/results.json", b"\xff"),
        r"results\.json:1: not UTF-8",
    ),
    Bad("results.json missing", remove("exp/tag/results.json"), r"results\.json is missing"),
    noted(
        "scored_with.json cut off", _exp("scored_with.json", "{"), r"no paired test: .*json:1: no J"
    ),
]
