"""Data dirs, tables, configurations and audio of strangers are data: nothing in them is run."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import crafted
import numpy as np
import pytest
import soundfile
from tiny_corpus import arguments, write

from sermtl import EmotionRecognizer, UserError
from sermtl.cli import main as cli
from sermtl.corpora.custom import load as load_custom
from sermtl.data.audio import dumped_samples, read_audio
from sermtl.data.datadir import read_column, read_data_dir, write_column
from sermtl.data.labels import load_labels
from sermtl.data.tokens import Tokenizer
from sermtl.training import conf
from sermtl.training.task import SERTask


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """What crafted files would leave, here and in the folder that commands run in."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "pwned"
    yield path
    assert not path.exists(), "the file ran its code"


TAGS = [
    "!!python/object/apply:os.system ['touch pwned']",
    "!!python/object/new:os.system ['touch pwned']",
    "!!python/object/apply:subprocess.check_output [['touch', 'pwned']]",
    "!!python/object/apply:builtins.open ['pwned', 'w']",
    "!!python/name:os.system",
    "!!python/module:os",
    "!!python/object/apply:eval [\"__import__('os').system('touch pwned')\"]",
]
ALIASES = "a0: &a0 [x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join(f'*a{i - 1}' for _ in range(10))}]\n" for i in range(1, 12)
)
BOMBS = {
    "aliases": ALIASES,
    "an alias of itself": "a: &a [*a]",
    "merged": "a: &a {b: 1}\nc: {<<: *a}",
    "nested": "a: " + "[" * 3_000,
    "nested mappings": "a: " + "{b: " * 3_000,
    "a long number": "a: " + "1" * 100_000,
    "no number": "a: !!int x",
    "no truth value": "a: !!bool 7",
    "no date": "a: 2020-13-45",
    "a sequence for a key": "? [a]\n: b",
    "not UTF-8": "a: \udcff",
    "no YAML": "a: [",
}


def read_experiment(path: Path) -> None:
    (path.parent / "final.pth").touch()
    EmotionRecognizer.from_pretrained(path.parent)


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "train conf": ("train.yaml", lambda path: conf.resolve([path])),
    "labels": ("labels.yaml", load_labels),
    "label map": ("map.yaml", lambda path: custom(path.parent, label_map=str(path))),
    "experiment": ("config.yaml", read_experiment),
    "info": ("config.yaml", lambda path: cli(["info", str(path.parent)])),
}


def custom(folder: Path, row: str = "a.wav,A,train", **options: str) -> object:
    soundfile.write(folder / "a.wav", np.zeros(800), 16_000)
    (folder / "m.csv").write_text(f"path,emotion,split\n{row}\n")
    return load_custom(None, folder / "data", str(folder / "m.csv"), **options)


# What is text to readers for which all is text.
TEXT = {"!!python/name:os.system", "!!python/module:os"}
TEXT |= {"a long number", "no number", "no truth value", "no date"}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", [*TAGS, *BOMBS])
def test_yaml(reader, name, canary, tmp_path):
    file, read = READERS[reader]
    path = tmp_path / file
    content = BOMBS.get(name, f"frontend_conf: {name}")
    path.write_text(content, encoding="utf-8", errors="surrogateescape")
    if reader == "label map" and name in TEXT:
        read(path)
    elif reader == "info":
        with pytest.raises(SystemExit, match="1"):
            read(path)
    else:
        with pytest.raises(UserError) as caught:
            read(path)
        assert file in str(caught.value) and len(str(caught.value)) < 1000


@pytest.mark.parametrize("tag", TAGS)
def test_train_args(tag, canary):
    with pytest.raises(UserError, match="no YAML value"):
        conf.parse_arguments(f'--model_conf "{tag}"')


def commands(folder: Path) -> list[str]:
    """Places that Kaldi's tools would run, or read from elsewhere."""
    (folder / "touch pwned |").write_bytes(b"")
    return ["touch pwned |", "| touch pwned", " touch pwned |", "touch pwned|:0", "-", "|"]


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("reader", ["data dir", "dumped clip", "training", "manifest"])
def test_commands_for_audio(number, reader, canary, tmp_path):
    place = commands(tmp_path)[number]
    if reader == "data dir":
        write(tmp_path)
        folder = tmp_path / "train"
        scp = (folder / "wav.scp").read_text().split("\n", 1)
        (folder / "wav.scp").write_text(f"train00 {place}\n{scp[1]}")
        write_column(folder / "utt2dur", dict.fromkeys(read_column(folder / "utt2spk"), "1.0"))
        with pytest.raises(UserError, match=r"wav\.scp:1: "):
            read_data_dir(folder)
    elif reader == "dumped clip":
        with pytest.raises(UserError):
            dumped_samples(place)
    elif reader == "manifest":
        with pytest.raises(UserError):
            custom(tmp_path, f'"{place}",A,train')
            read_audio(place)  # of a file that is called so: its content
    else:
        train_on(tmp_path, place)


def train_on(folder: Path, place: str) -> None:
    """Train where an utterance has another place in its archives."""
    write(folder)
    scp = (folder / "train" / "wav.scp").read_text().split("\n", 1)
    (folder / "train" / "wav.scp").write_text(f"train00 {place}\n{scp[1]}")
    with pytest.raises((UserError, OSError)):
        SERTask.main(cmd=arguments(folder, folder / "exp", max_epoch=1))


def entries(command: str) -> dict[str, bytes]:
    """What kaldiio reads from archives, and what it would run."""
    objects = np.array([crafted.Command(command)], dtype=object)
    pickled = pickle.dumps(objects)
    npy = b"\x93NUMPY\x01\x00" + struct.pack("<H", 62)
    npy += b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(61) + b"\n" + pickled
    return {
        "pickle": b"PKL" + pickle.dumps(crafted.Command(command)),
        "array of objects": b"NPY\x04" + struct.pack("<I", len(npy)) + npy,
        "pickle for an array": b"NPY\x04" + struct.pack("<I", len(pickled)) + pickled,
        "matrix of text": b" [ 1 2 ]\n",
        "length of gigabytes": b"NPY\x04" + struct.pack("<I", 0xFFFFFFF0) + npy,
        "wav that lies": b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\xff" + bytes(16),
        "nothing": b"",
    }


@pytest.mark.parametrize("kind", entries(""))
@pytest.mark.parametrize("reader", ["dumped clip", "training"])
def test_crafted_archives_of_audio(kind, reader, canary, tmp_path):
    archive = tmp_path / "wav.ark"
    archive.write_bytes(b"train00 " + entries(f"touch {canary}")[kind])
    if reader == "dumped clip":
        with pytest.raises(UserError, match=r"wav\.ark"):
            dumped_samples(f"{archive}:8")
    else:
        train_on(tmp_path, f"{archive}:8")


@pytest.mark.parametrize("content", [b"\x00" * 100, b"pwned", b"\xff" * 10_000, None])
def test_sentencepiece_models(content, tmp_path):
    tokenizer = Tokenizer.train(["one two", "three"], 20)
    tokenizer.save(tmp_path)
    path = tmp_path / "bpe.model"
    path.write_bytes(path.read_bytes()[:-50] if content is None else content)
    with pytest.raises(UserError, match=str(tmp_path)):
        Tokenizer.load(tmp_path)
