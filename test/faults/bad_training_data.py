"""Faults of what stages 3 and 4 left, and of configurations, before training begins."""

from __future__ import annotations

import json
from pathlib import Path

from bad_tables import Bad, both, harmless, remove, replace, rewrite, write

from sermtl.data.tokens import Tokenizer

EMO = "stats/train/utt2emo"
LABELS = "stats/labels.json"
TOKENS = "tokens/tokens.txt"
CONF = "conf.yaml"
GOOD_CONF = "max_epoch: 4\nmodel_conf:\n  alpha: 0.1\nfrontend_conf: {model: {}}\n"
TEXTS = ["good morning", "oh no", "good evening", "not again", "how nice", "what a pity"]


def make(folder: Path) -> None:
    """Tokens and a configuration, beside the statistics that are there."""
    Tokenizer.train(TEXTS, 30).save(folder / "tokens")
    (folder / CONF).write_text(GOOD_CONF)


def _labels(change):
    """Another ``labels.json``."""
    return rewrite(LABELS, lambda text: json.dumps(change(json.loads(text))))


def _without(key: str):
    return _labels(lambda labels: {k: v for k, v in labels.items() if k != key})


def _characters(folder: Path) -> None:
    (folder / "tokens" / "bpe.model").unlink()
    Tokenizer.train(TEXTS, 30, "char").save(folder / "tokens")


def _tokens(change):
    return rewrite(TOKENS, lambda text: "\n".join(change(text.splitlines())) + "\n")


STATISTICS = [
    Bad(
        "another class",
        replace(EMO, "ann-1 joy", "ann-1 yoj"),
        r"utt2emo:1: .*'yoj', which is none",
    ),
    Bad(
        "in valid", replace("stats/valid/utt2emo", "joy", "awe"), r"valid/utt2emo:1: .*'awe', which"
    ),
    Bad(
        "another gender",
        replace("stats/train/utt2gender", "female", "f"),
        r"utt2gender:1: .*'f', w",
    ),
    Bad(
        "another speaker",
        replace("stats/train/utt2spk", "ann\n", "zoe\n"),
        r"utt2spk:1: .*'zoe', w",
    ),
    Bad(
        "a label is missing", replace(EMO, "ann-ann-2 sad\n", ""), r"scp:2: ann-ann-2 is missing fr"
    ),
    Bad(
        "a label too many", replace(EMO, "ann-ann-2", "ann-ann-1b x\nann-ann-2"), r"utt2emo:2: ann-"
    ),
    Bad(
        "a length is missing",
        rewrite("stats/train/speech_shape", lambda t: t[15:]),
        r"scp:1: ann-a",
    ),
    Bad("a file is missing", remove("stats/valid/text"), r"valid/text is missing"),
    Bad("CRLF", rewrite(EMO, lambda text: text.replace("\n", "\r\n")), r"utt2emo:1: Windows"),
    Bad(
        "labels.json cut off", rewrite(LABELS, lambda text: text[:20]), r"labels\.json:\d: no JSON"
    ),
    Bad("labels.json empty", write(LABELS, ""), r"labels\.json:1: no JSON.*stage 4 again"),
    Bad(
        "labels.json no text", write(LABELS, b"\xff"), r"labels\.json:1: not UTF-8: run stage 4 ag"
    ),
    Bad("labels.json a list", write(LABELS, "[]"), r"labels\.json: damaged, it has no emotions"),
    Bad("labels.json no counts", _without("counts"), r"labels\.json: damaged, it has no counts"),
    Bad("labels.json no tasks", _without("tasks"), r"labels\.json: damaged, it has no tasks"),
    Bad(
        "a class less",
        _labels(lambda v: v | {"emotions": ["joy"]}),
        r"utt2emo:2: .*'sad', which is",
    ),
    Bad(
        "a key twice", rewrite(LABELS, lambda t: '{"tasks": {},' + t[1:]), r"'tasks' is there twice"
    ),
    Bad(
        "relabelled since",
        replace("dump/train/utt2emo", "joy", "sad"),
        r"train/utt2emo as it is now",
    ),
    Bad(
        "transcribed since",
        replace("dump/valid/text", "oh no", "ah no"),
        r"valid/text as it is now",
    ),
    Bad("no marker", remove("stats/done.json"), r"wasn't made from .*run stage 4 again"),
]
VOCABULARY = [
    Bad(
        "tokens cut off",
        _tokens(lambda tokens: tokens[:-2]),
        r"tokens\.txt:\d+: None is out of place",
    ),
    Bad("tokens empty", write(TOKENS, ""), r"tokens\.txt:1: None is out of place"),
    Bad(
        "a token twice",
        _tokens(lambda t: [*t[:5], t[3], *t[6:]]),
        r"tokens\.txt:6: .* out of place",
    ),
    Bad(
        "tokens in another order",
        _tokens(lambda t: [*t[:2], *t[:1:-1]]),
        r"tokens\.txt:3: .* out of",
    ),
    Bad("no blank", _tokens(lambda tokens: tokens[1:]), r"tokens\.txt:1: '<unk>' is out"),
    Bad(
        "a token too many",
        _tokens(lambda t: [*t, "zzz"]),
        r"tokens\.txt:\d+: 'zzz' is out",
    ),
    Bad(
        "tokens BOM",
        rewrite(TOKENS, lambda text: "\ufeff" + text),
        r"tokens\.txt:1: .* out of place",
    ),
    Bad("tokens Latin-1", write(TOKENS, b"<blank>\n\xe9\n"), r"tokens\.txt: not UTF-8"),
    Bad(
        "a character twice",
        both(_characters, _tokens(lambda t: [*t, t[4]])),
        r"tokens\.txt:\d+: .* out",
    ),
    Bad(
        "tokenizer.json cut off", write("tokens/tokenizer.json", "{"), r"tokenizer\.json:1: no JSON"
    ),
    Bad("no model", remove("tokens/bpe.model"), r"bpe\.model is missing"),
    Bad("model cut off", write("tokens/bpe.model", b"\x0a\x0c"), r"bpe\.model: damaged"),
    Bad("model empty", write("tokens/bpe.model", b""), r"tokens\.txt:3: .* out of place"),
    harmless("tokens CRLF", rewrite(TOKENS, lambda text: text.replace("\n", "\r\n"))),
]
CONFIGURATIONS = [
    Bad("no conf", remove(CONF), r"there is no configuration .*conf\.yaml"),
    Bad("conf a list", write(CONF, "- a\n"), r"conf\.yaml must hold a mapping"),
    Bad("conf a text", write(CONF, "max_epoch 3\n"), r"conf\.yaml must hold a mapping"),
    Bad("conf a tab", replace(CONF, "  alpha", "\talpha"), r"conf\.yaml:3: no YAML .*'\\t'"),
    Bad("conf not closed", write(CONF, "a: [1,\nb: 2\n"), r"conf\.yaml:\d: no YAML"),
    Bad(
        "conf a key twice",
        replace(CONF, "model_conf", "max_epoch"),
        r"conf\.yaml:2: .*'max_epoch' is",
    ),
    Bad(
        "conf an option twice",
        replace(CONF, "  alpha", "  alpha: 1\n  alpha"),
        r"conf\.yaml:4: .*'alp",
    ),
    Bad("conf Latin-1", write(CONF, b"a: 1\nb: \xe9\n"), r"conf\.yaml:2: not UTF-8"),
    Bad(
        "conf UTF-16", rewrite(CONF, lambda text: text.encode("utf-16")), r"conf\.yaml:1: not UTF-8"
    ),
    Bad("conf NUL", write(CONF, b"a: 1\nb: \0\n"), r"conf\.yaml:2: no YAML"),
    Bad(
        "conf code",
        write(CONF, "a: !!python/object/apply:os.getpid []\n"),
        r"conf\.yaml:1: no YAML",
    ),
    harmless("conf BOM", rewrite(CONF, lambda text: "\ufeff" + text)),
    harmless("conf CRLF", rewrite(CONF, lambda text: text.replace("\n", "\r\n"))),
]
TRAINING = STATISTICS + VOCABULARY + CONFIGURATIONS
