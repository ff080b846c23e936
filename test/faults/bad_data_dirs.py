"""Faults of data dirs that were edited by hand after stage 1."""

from __future__ import annotations

from bad_tables import Bad, both, harmless, noted, remove, replace, rewrite

TRAIN = "dump/train/"
EMO = TRAIN + "utt2emo"
SPK2UTT = TRAIN + "spk2utt"
LONG = "x" * 1_000_000


def _line(file: str, old: str, new: str):
    return replace(TRAIN + file, old, new)


FORMAT = [
    Bad("unsorted", rewrite(EMO, lambda text: text[-14:] + text[:-14]), r"utt2emo:2: not sorted"),
    Bad("twice", _line("utt2emo", "ann-ann-2", "ann-ann-1"), r"utt2emo:2: ann-ann-1 .*twice"),
    Bad("CRLF", rewrite(EMO, lambda text: text.replace("\n", "\r\n")), r"utt2emo:1: Windows"),
    Bad("a CR inside", _line("text", "oh no", "oh\rno"), r"text:2: Windows"),
    Bad("BOM", rewrite(EMO, lambda text: "\ufeff" + text), r"utt2emo:1: .*BOM"),
    Bad("UTF-16", rewrite(EMO, lambda text: text.encode("utf-16")), r"utt2emo:1: not UTF-8"),
    Bad("Latin-1", rewrite(EMO, lambda t: t.encode() + b"z \xe9\n"), r"utt2emo:7: not UTF-8"),
    Bad("a tab", _line("utt2emo", "ann-ann-2 ", "ann-ann-2\t"), r"utt2emo:2: .*one space"),
    Bad("a tab in the text", _line("text", "2 oh no", "2\toh no"), r"text:2: .*one space"),
    Bad("an empty value", _line("utt2emo", "ann-2 sad", "ann-2 "), r"utt2emo:2: .*no value"),
    Bad("an id alone", _line("utt2emo", "ann-2 sad", "ann-2"), r"utt2emo:2: .*no value"),
    Bad("an empty line", _line("utt2emo", "\n", "\n\n"), r"utt2emo:2: empty line"),
    Bad("cut off", rewrite(EMO, lambda text: text[:-2]), r"utt2emo:6: .*no line end"),
    Bad("empty", rewrite(EMO, lambda _: ""), r"wav\.scp:1: .*missing from utt2emo"),
    Bad(
        "a long id",
        _line("utt2emo", "ann-ann-1", f"ann-ann-1{LONG}"),
        r"utt2emo:1: ann-ann-1xxx.* isn't in",
    ),
    harmless("spaces at the end", _line("utt2emo", "ann-2 sad", "ann-2 sad  ")),
    harmless("spaces before", _line("utt2emo", "ann-2 sad", "ann-2   sad")),
]
TOGETHER = [
    Bad("a file is missing", remove(EMO), r"utt2emo is missing: run stage 1"),
    Bad("a line is missing", _line("utt2emo", "ann-ann-2 sad\n", ""), r"wav\.scp:2: ann-ann-2 is"),
    Bad(
        "one too many", _line("utt2emo", "bob", "ann-ann-3 sad\nbob"), r"utt2emo:3: ann-ann-3 isn't"
    ),
    Bad(
        "gone but for a label",
        _line("wav.scp", "\nann-ann-2 ", "\nann-ann-9 "),
        r"isn't in wav\.scp",
    ),
    Bad(
        "a duration in words",
        _line("utt2dur", "0.250", "short"),
        r"utt2dur:1: .*'short', not a num",
    ),
    Bad("a negative duration", _line("utt2dur", "0.250", "-1"), r"utt2dur:1: .*'-1', not a number"),
    Bad("no duration", _line("utt2dur", "0.250", "nan"), r"utt2dur:1: .*'nan', not a number"),
    Bad("another speaker", _line("utt2spk", "ann-2 ann", "ann-2 bob"), r"spk2utt:1: ann has other"),
    Bad("spk2utt lacks one", replace(SPK2UTT, " ann-ann-2", ""), r"spk2utt:1: ann has other"),
    Bad("spk2utt lacks a speaker", replace(SPK2UTT, "eve", "zoe"), r"spk2utt:3: zoe has other"),
    harmless("no spk2utt", remove(SPK2UTT)),
]
LENGTHS = [
    Bad(
        "a length is missing", _line("utt2num_samples", "ann-ann-2 4000\n", ""), r"scp:2: ann-ann-2"
    ),
    Bad("a length too many", _line("utt2num_samples", "bob", "b 1\nbob"), r"utt2num_samples:3: b "),
    Bad(
        "a length in words",
        _line("utt2num_samples", "4000", "long"),
        r"utt2num_samples:1: .*'long'",
    ),
    Bad("a negative length", _line("utt2num_samples", "4000", "-4"), r"utt2num_samples:1: .*'-4'"),
    Bad("half a sample", _line("utt2num_samples", "4000", "4.5"), r"utt2num_samples:1: .*4\.5"),
]
MEANING = [
    noted("a typing error", _line("utt2emo", "ann-1 joy", "ann-1 yoj"), r"yoj +1 +0"),
    noted("a third gender", _line("utt2gender", "female", "femal"), r"gender: femal 1, female 3"),
    noted(
        "one set only",
        replace("data/train/utt2emo", "ann-1 joy", "ann-1 sad"),
        r"utt2emo:1.*differ",
    ),
    noted("another test label", replace("dump/test/utt2emo", "joy", "yoj"), r"test.*'yoj' \(1 utt"),
    noted(
        "an utterance in both sets",
        both(
            *(
                rewrite(TRAIN + f, lambda text: text.replace("eve-eve-2", "fay-fay-2"))
                for f in ("wav.scp", "utt2emo", "utt2gender", "utt2spk", "text", "utt2dur")
            ),
            replace(TRAIN + "utt2num_samples", "eve-eve-2", "fay-fay-2"),
            remove(SPK2UTT),
        ),
        r"test: 1 utterances were in training",
    ),
]
DATA_DIRS = FORMAT + TOGETHER + LENGTHS + MEANING
READ_BY_SUMMARY = FORMAT + TOGETHER
