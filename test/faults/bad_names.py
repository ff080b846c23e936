"""Files whose names are awkward, and what has a file's name and is no file."""

from __future__ import annotations

import os
import socket
import unicodedata
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sound_case import TRUTH, Case, sound

NAMES = [
    "two  spaces.wav",
    " a space before.wav",
    "a space .wav",
    "it's.wav",
    'said "yes".wav',
    "tab\there.wav",
    "$(touch pwned).wav",
    "`touch pwned`.wav",
    "a; touch pwned; b.wav",
    "a && touch pwned.wav",
    "| touch pwned.wav",
    "$HOME.wav",
    "!!.wav",
    "a > pwned.wav",
    "*.wav",
    "[a-z]?.wav",
    "{a,b}.wav",
    "%s %n %(x)s {0}.wav",
    "-.wav",
    "-dash.wav",
    "--output.wav",
    "~.wav",
    "#.wav",
    "=1+1.wav",
    "comma,semicolon;.wav",
    "back\\slash\\n.wav",
    "colour \x1b[31m.wav",
    "bell \x07.wav",
    "separator \u2028.wav",
    "from the right \u202e.wav",
    unicodedata.normalize("NFC", "é ü.wav"),
    unicodedata.normalize("NFD", "é ü.wav"),
    "笑い声 😀.wav",
    "file:a.wav",
    "concat:a.wav",
    "http:a.wav",
    "x" * 251 + ".wav",
    "ü" * 125 + ".wav",
    "<unk>.wav",
    "None.wav",
    "a.tar.gz.wav",
]
UNFIT = {  # for wav.scp, so that stage 1 asks for another name
    "line\nbreak.wav": "a line break",
    "carriage\rreturn.wav": "a line break",
    "touch pwned |": "a | at its end",
    "a space behind.wav ": "white space at its end",
    "clip.wav:12": "a number behind a colon",
}
NO_UTF8 = [os.fsdecode(name) for name in (b"caf\xe9.wav", b"\xff\xfe.wav", b"\xc3\xa9\xc3.wav")]


def names() -> Iterator[Case]:
    """All of them hold the same sound."""
    yield from (Case(name, sound(), TRUTH) for name in NAMES)
    yield from (Case(name, sound(), TRUTH, refused=why) for name, why in UNFIT.items())
    yield from (Case(name, sound(), TRUTH, refused="UTF-8") for name in NO_UTF8)


def no_files() -> Iterator[Case]:
    """None of them may be waited for."""
    for name, make, reason in (
        ("folder.wav", Path.mkdir, "a folder|no recording in this folder"),
        ("pipe.wav", os.mkfifo, "a pipe, not a file"),
        ("socket.wav", _socket, "a socket, not a file"),
        ("endless.wav", partial(Path.symlink_to, target="/dev/zero"), "a device, not a file"),
        ("null.wav", partial(Path.symlink_to, target="/dev/null"), "a device, not a file"),
        ("nowhere.wav", partial(Path.symlink_to, target="gone.wav"), "a link to gone.wav, which"),
        ("itself.wav", partial(Path.symlink_to, target="itself.wav"), "symbolic links"),
        ("to pipe.wav", partial(Path.symlink_to, target="pipe.wav"), "a pipe, not a file"),
        ("a loop.wav", _loop, "a folder|no recording in this folder"),
    ):
        yield Case(name, b"", reason=reason, make=make)
    yield Case("to a file.wav", b"", TRUTH, make=partial(Path.symlink_to, target="PCM_16.wav"))
    yield Case("the same.wav", b"", TRUTH, make=_hard_link)


def _socket(path: Path) -> None:
    here = os.open(path.parent, os.O_RDONLY)  # a socket's path may have 107 bytes only
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"/proc/self/fd/{here}/{path.name}")
    os.close(here)


def _loop(path: Path) -> None:
    path.mkdir()
    (path / "again").symlink_to(".", target_is_directory=True)


def _hard_link(path: Path) -> None:
    path.with_name("PCM_16.wav").touch()  # whose content comes
    os.link(path.with_name("PCM_16.wav"), path)
