"""A packed model from wherever writes nothing outside its folder, fills no disk, leaves nothing."""

from __future__ import annotations

import copy
import json
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from sermtl import EmotionRecognizer, UserError, zips
from sermtl.cli import main as cli
from sermtl.packing import pack


@pytest.fixture(scope="module")
def packed(trained, tmp_path_factory):
    """A good model: the folder; its archive is beside it."""
    folder = tmp_path_factory.mktemp("packed") / "model"
    pack(trained, "final.pth", folder, "# card", {})
    return folder


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where archives are unpacked; nothing may be left there, nor beside it."""
    folder = tmp_path / "outside" / "tmp"
    folder.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.parent.rglob("*")) == [folder]


def refused(path: Path) -> str:
    """By Python and by the command line."""
    with pytest.raises(UserError, match=path.name) as caught:
        EmotionRecognizer.from_pretrained(path)
    with pytest.raises(SystemExit, match="1"):
        cli(["info", str(path)])
    return str(caught.value)


def with_member(name: str, packed: Path, path: Path, mode: int = stat.S_IFREG | 0o644) -> None:
    """A good archive and one member more."""
    shutil.copy(packed.with_name("model.zip"), path)
    with zipfile.ZipFile(path, "a") as archive:
        member = zipfile.ZipInfo("member")
        member.filename = name  # as it is: the constructor would mend it
        member.external_attr = mode << 16
        archive.writestr(member, "../../target")


LEADING_OUT = ["../pwned", "/tmp/pwned", "a/../../pwned", "..", ".", "", "a//b", "./pwned"]
LEADING_OUT += [
    "..\\pwned",
    "\\\\server\\pwned",
    "C:\\pwned",
    "C:pwned",
    "c:/pwned",
    "a\nb",
    "a\x1bb",
]


@pytest.mark.parametrize("name", LEADING_OUT)
def test_members_that_lead_out(name, packed, temporary, tmp_path):
    with_member(name, packed, tmp_path / "m.zip")
    assert "leads out" in refused(tmp_path / "m.zip")


@pytest.mark.parametrize("kind", ["S_IFLNK", "S_IFCHR", "S_IFBLK", "S_IFIFO", "S_IFSOCK"])
def test_members_that_are_no_files(kind, packed, temporary, tmp_path):
    with_member("pwned", packed, tmp_path / "m.zip", getattr(stat, kind) | 0o777)
    assert "a link or a device" in refused(tmp_path / "m.zip")


@pytest.mark.parametrize(
    "name", ["config.json", "CONFIG.json", "tokens", "Tokens/TOKENS.txt", "config.json/a"]
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_of_one_name(name, packed, temporary, tmp_path):
    with_member(name, packed, tmp_path / "m.zip")
    assert "would be one file" in refused(tmp_path / "m.zip")


def test_names_that_are_one_in_unicode(packed, temporary, tmp_path):
    with_member("é", packed, tmp_path / "one.zip")
    with_member("e\u0301", packed, tmp_path / "m.zip")
    with zipfile.ZipFile(tmp_path / "m.zip", "a") as archive:
        archive.writestr("é", "x")
    assert "would be one file" in refused(tmp_path / "m.zip")


def test_zeros(temporary, tmp_path):
    """A hundred megabytes in a tenth of one."""
    with zipfile.ZipFile(tmp_path / "m.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.safetensors", bytes(100 << 20))
    assert "over 10 times the archive's" in refused(tmp_path / "m.zip")


def declared(path: Path, **changes: int) -> None:
    """Change what an archive's first member is said to be in the central directory."""
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02")
    fields = {"flag": (8, "<H"), "crc": (16, "<I"), "packed": (20, "<I"), "size": (24, "<I")}
    fields |= {"method": (10, "<H"), "offset": (42, "<I")}
    for name, value in changes.items():
        struct.pack_into(fields[name][1], content, place + fields[name][0], value)
    path.write_bytes(content)


@pytest.mark.parametrize(
    "changes",
    [
        {"size": 100},  # less than there is
        {"size": 1 << 20},  # more
        {"crc": 1},
        {"flag": 1},  # encrypted
        {"method": 99},
        {"method": 12},
        {"offset": 1 << 30},
        {"packed": 1 << 30},
    ],
    ids=str,
)
def test_directories_that_lie(changes, temporary, tmp_path):
    with zipfile.ZipFile(tmp_path / "m.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", bytes(range(256)) * 1000)
    declared(tmp_path / "m.zip", **changes)
    assert "damaged" in (said := refused(tmp_path / "m.zip")) or "can't be unpacked" in said


def test_members_that_overlap(temporary, tmp_path):
    """Many names for the same bytes: the bomb that needs no compression."""
    path = tmp_path / "m.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0", bytes(1 << 20))
        first = archive.filelist[0]
        for number in range(1, 900):
            member = copy.copy(first)
            member.filename = str(number)
            archive.filelist.append(member)
            archive.NameToInfo[member.filename] = member
        archive._didModify = True
    assert "over 10 times the archive's" in refused(path)


def test_too_many_members(long_form, temporary, tmp_path):
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        for number in range(1_000_000 if long_form else 5_000):
            archive.writestr(str(number), "")
    assert "no packed model has 1000" in refused(tmp_path / "m.zip")


def test_a_disk_without_room(packed, temporary, monkeypatch):
    usage = shutil.disk_usage(temporary)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    assert "set TMPDIR to a folder with more room" in refused(packed.with_name("model.zip"))


@pytest.mark.parametrize("kind", ["empty", "text", "cut", "folder", "rar", "only an end", "noise"])
def test_what_is_no_archive(kind, packed, temporary, tmp_path):
    path = tmp_path / "m.zip"
    whole = packed.with_name("model.zip").read_bytes()
    if kind == "folder":
        path.mkdir()
    else:
        contents = {"empty": b"", "text": b"not a zip", "rar": b"Rar!\x1a\x07" + bytes(100)}
        contents |= {"cut": whole[:-2000], "only an end": whole[-22:]}
        contents |= {"noise": zlib.compress(whole)[:1000] + whole[-22:]}
        path.write_bytes(contents[kind])
    refused(path)


@pytest.mark.parametrize("cut", range(0, 100, 7))
def test_archives_cut_off(cut, packed, temporary, tmp_path):
    whole = packed.with_name("model.zip").read_bytes()
    (tmp_path / "m.zip").write_bytes(whole[: len(whole) * cut // 100])
    refused(tmp_path / "m.zip")


@pytest.mark.parametrize("flipped", range(5, 100, 5))
def test_archives_with_a_flipped_byte(flipped, packed, temporary, tmp_path):
    """Either told, or the byte wasn't one that matters."""
    content = bytearray(packed.with_name("model.zip").read_bytes())
    content[len(content) * flipped // 100] ^= 0xFF
    (tmp_path / "m.zip").write_bytes(content)
    refused(tmp_path / "m.zip")


Change = Callable[[dict], object]
CONFIGS: dict[str, Change] = {
    "no mapping": lambda c: [],
    "nothing": lambda c: {},
    "no labels": lambda c: c.pop("labels"),
    "no tasks": lambda c: c["model_conf"].pop("tasks"),
    "a path of this machine": lambda c: c["frontend_conf"].update(model="/etc"),
    "a name on the hub": lambda c: c["frontend_conf"].update(model="stranger/model"),
    "another type": lambda c: c["frontend_conf"]["model"].update(model_type="bert"),
    "no type": lambda c: c["frontend_conf"]["model"].pop("model_type"),
    "text for a size": lambda c: c["frontend_conf"]["model"].update(hidden_size="16"),
    "a negative size": lambda c: c["frontend_conf"]["model"].update(hidden_size=-16),
    "a huge size": lambda c: c["frontend_conf"]["model"].update(hidden_size=10**9),
    "many layers": lambda c: c["frontend_conf"]["model"].update(num_hidden_layers=10**9),
    "no heads": lambda c: c["frontend_conf"]["model"].update(num_attention_heads=0),
    "an unknown activation": lambda c: c["frontend_conf"]["model"].update(hidden_act="__import__"),
    "wide branches": lambda c: c["model_conf"].update(hidden_size=10**9),
    "a long queue": lambda c: c["model_conf"].update(swfc={"queue_size": 10**12}),
    "an unknown option": lambda c: c["model_conf"].update(cmd="touch pwned"),
    "an unknown task": lambda c: c["model_conf"].update(tasks=["gender", "os.system"]),
    "other emotions": lambda c: c["labels"].update(emotions=["A"]),
    "emotions of numbers": lambda c: c["labels"].update(emotions=[1, 2, 3]),
    "no counts": lambda c: c["labels"].pop("counts"),
    "counts of text": lambda c: c["labels"]["tasks"].update(emotion="many"),
    "names for others": lambda c: c["labels"].update(names={"X": "x"}),
    "a terminal's commands": lambda c: c["labels"]["names"].update(A="\x1b]0;pwned\x07"),
    "half a character": lambda c: c["labels"]["names"].update(A="\ud800"),
    "other tokens": lambda c: c["token_list"].append("x"),
    "tokens of numbers": lambda c: c.update(token_list=[1]),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_configurations_of_other_models(name, packed, temporary, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = shutil.copytree(packed, tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    changed = CONFIGS[name](config)
    content = changed if name in ("no mapping", "nothing") else config
    (folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="m"):
        EmotionRecognizer.from_pretrained(folder)


TEXTS = {
    "nested": "[" * 100_000 + "]" * 100_000,
    "nested objects": '{"a":' * 100_000,
    "a long number": "1" * 100_000,
    "no text": "\x00\x01",
    "twice": '{"labels": 1, "labels": 2}',
    "python": "__import__('os').system('touch pwned')",
}


@pytest.mark.parametrize("file", ["config.json", "results.json", "tokens/tokenizer.json"])
@pytest.mark.parametrize("text", TEXTS)
def test_crafted_json(text, file, packed, temporary, tmp_path, capsys):
    folder = shutil.copytree(packed, tmp_path / "m")
    (folder / file).write_text(TEXTS[text])
    command = ["predict", str(folder), "gone.wav"] if "tokens" in file else ["info", str(folder)]
    with pytest.raises(SystemExit, match="1"):
        cli(command)
    said = capsys.readouterr().err
    assert said.startswith("error: ") and str(folder) in said and said.count("\n") == 1


RESULTS = [
    "[]",
    '{"test": 1}',
    '{"test": {}}',
    '{"test": {"n": "x"}}',
    '{"test": {"n": 1, "n_unlabelled": 0, "labels": [], "macro_f1": 1}}',
]


@pytest.mark.parametrize("content", RESULTS)
def test_crafted_results(content, packed, temporary, tmp_path, capsys):
    folder = shutil.copytree(packed, tmp_path / "m")
    (folder / "results.json").write_text(content)
    with pytest.raises(SystemExit, match="1"):
        cli(["info", str(folder)])
    said = capsys.readouterr().err
    assert said.startswith("error: ") and "results.json" in said and said.count("\n") == 1


def test_a_terminal_gets_no_commands(packed, temporary, tmp_path, capsys):
    folder = shutil.copytree(packed, tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    config["encoder"] = "\x1b]0;pwned\x07"
    (folder / "config.json").write_text(json.dumps(config))
    results = {"te\x1b[2Jst": {"n": 1, "n_unlabelled": 0, "labels": []}}
    (folder / "results.json").write_text(json.dumps(results))
    cli(["info", str(folder)])
    assert "\x1b" not in capsys.readouterr().out


def test_good_archives_pass(packed, temporary, recognizer, clips, tmp_path):
    """Also those that somebody has compressed, in whose folders there are entries of their own."""
    shutil.make_archive(str(tmp_path / "again"), "zip", packed)
    answer = EmotionRecognizer.from_pretrained(tmp_path / "again.zip")(clips[0])
    assert answer.to_dict() == recognizer(clips[0]).to_dict()
    assert zips.MAX_MEMBERS == 1000
