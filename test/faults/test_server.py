"""The demo server answers its page's requests up to its limits, keeps nothing, and lives on."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile

from sermtl.cli import main as cli
from sermtl.data import SAMPLE_RATE

httpx = pytest.importorskip("httpx", reason="the extra serve isn't installed")
pytest.importorskip("gradio", reason="the extra serve isn't installed")

from visitor import Visitor, told  # noqa: E402

from sermtl.cli.serve import serving  # noqa: E402
from sermtl.web import door, keeping  # noqa: E402

MAX_BYTES, MAX_SECONDS = 2_000_000, 20.0
DATA = {"_type": "gradio.FileData"}


@pytest.fixture(scope="module")
def elsewhere() -> list[object]:
    """Addresses other than this machine's that anything here wanted."""
    found: list[object] = []

    def heard(event: str, arguments: tuple) -> None:
        if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
            address = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
            host = address[0] if isinstance(address, tuple) else address
            if isinstance(address, tuple | str | bytes) and host not in HERE:
                found.append((event, host))

    sys.addaudithook(heard)
    return found


HERE = {"127.0.0.1", "localhost", b"localhost", "::1", "0.0.0.0", None, "", b""}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Path]:
    """Where temporary files are."""
    folder = tmp_path_factory.mktemp("server")
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    yield folder
    tempfile.tempdir = before


@pytest.fixture(scope="module")
def address(recognizer, place, elsewhere) -> Iterator[str]:
    """Of a running server, which leaves nothing and asks nobody."""
    with serving(recognizer, "127.0.0.1", 0, MAX_BYTES, MAX_SECONDS) as found:
        yield found
    assert list(place.rglob("*")) == []
    assert elsewhere == []


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> list[Path]:
    """Twenty, each another."""
    folder = tmp_path_factory.mktemp("recordings")
    random = np.random.default_rng(0)
    paths = [folder / f"{k}.wav" for k in range(20)]
    for k, path in enumerate(paths):
        soundfile.write(path, random.normal(0, 0.1, 4000 + 500 * k), SAMPLE_RATE)
    return paths


@pytest.fixture
def visitor(address) -> Iterator[Visitor]:
    with Visitor(address) as somebody:
        yield somebody


@pytest.fixture
def lives_on(address, recordings, recognizer) -> Iterator[None]:
    """Whatever the test did, the next visitor is answered."""
    yield
    with Visitor(address) as next_one:
        assert next_one.recognise(recordings[0]) == expected(recognizer, recordings[0])


def expected(recognizer, path: Path) -> dict[str, float]:
    scores = recognizer(path).scores
    return {recognizer.names[label]: score for label, score in scores.items()}


def test_twenty_at_once_get_their_own_answers(address, recordings, recognizer):
    def visit(path: Path) -> object:
        with Visitor(address) as somebody:
            return [somebody.recognise(path) for _ in range(2)]

    with ThreadPoolExecutor(len(recordings)) as pool:
        answers = list(pool.map(visit, recordings))
    assert len(recordings) == 20
    for path, both in zip(recordings, answers, strict=True):
        assert both == [expected(recognizer, path)] * 2


def test_answers_are_those_of_predict(visitor, recordings, trained, capsys):
    cli(["predict", str(trained), *map(str, recordings[:3]), "--format", "jsonl"])
    for path, line in zip(recordings, capsys.readouterr().out.splitlines(), strict=False):
        scores = json.loads(line)["scores"]
        told = visitor.recognise(path)
        assert list(told.values()) == pytest.approx(sorted(scores.values(), reverse=True))


# --- Malformed requests: what each is, by what a visitor does; all are refused.

Attack = Callable[[Visitor, dict], object]


def file(path: str, **more: object) -> dict[str, object]:
    return {"path": path, "meta": DATA, **more}


def joined(*data: object, **changes: object) -> Attack:
    return lambda v, f: v.join([fill(item, f) for item in data], **changes)


def fill(item: object, uploaded: dict) -> object:
    return uploaded if item == "uploaded" else item


def got(path: str) -> Attack:
    return lambda v, f: raw(v, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


def posted(path: str, content: bytes = b"{}", kind: str = "application/json") -> Attack:
    return lambda v, f: v.http.post(path, content=content, headers={"content-type": kind})


def raw(visitor: Visitor, content: bytes) -> bytes:
    """What the server answers to these bytes."""
    port = urlsplit(str(visitor.http.base_url)).port
    answer = b""
    with socket.create_connection(("127.0.0.1", port), 60) as line, suppress(OSError):
        line.sendall(content)  # it may hang up before it has heard all
        line.shutdown(socket.SHUT_WR)
        while block := line.recv(1 << 16):
            answer += block
    return answer


UP = "/gradio_api"
FORM = "multipart/form-data; boundary=x"
ATTACKS: dict[str, Attack] = {
    "passwd": joined(file("/etc/passwd"), None, 30),
    "passwd for another": joined(None, file("/etc/passwd"), 30),
    "passwd from here": joined(file("../../../../../../etc/passwd"), None, 30),
    "its own code": joined(file(door.__file__), None, 30),
    "the folder": joined(file("."), None, 30),
    "no path": joined(file(""), None, 30),
    "a zero byte": joined(file("/etc/passwd\0.wav"), None, 30),
    "a long path": joined(file("a" * 5000), None, 30),
    "http": joined(file("http://127.0.0.1:9/x.wav"), None, 30),
    "https": joined(file("https://example.org/x.wav"), None, 30),
    "HTTP": joined(file(" HTTP://example.org/x.wav"), None, 30),
    "ftp": joined(file("ftp://example.org/x.wav"), None, 30),
    "file:": joined(file("file:///etc/passwd"), None, 30),
    "url": joined(file("x", url="http://169.254.169.254/latest"), None, 30),
    "nested": joined({"a": [file("https://example.org/x.wav")]}, None, 30),
    "stream": joined(file("/etc/passwd", is_stream=True), None, 30),
    "no file": joined({"name": "x"}, None, 30),
    "text for a file": joined("/etc/passwd", None, 30),
    "number for a file": joined(1, None, 30),
    "list for a file": joined([file("/etc/passwd")], None, 30),
    "too few": joined("uploaded"),
    "too many": joined(*["uploaded"] * 50),
    "text for seconds": joined("uploaded", None, "x"),
    "nothing for seconds": joined("uploaded", None, None),
    "negative seconds": joined("uploaded", None, -1),
    "many seconds": joined("uploaded", None, 1e300),
    "no list": lambda v, f: v.join("x"),
    "another button": joined("uploaded", None, 30, fn_index=99),
    "negative button": joined("uploaded", None, 30, fn_index=-1),
    "no session": joined("uploaded", None, 30, session_hash=None),
    "no JSON": posted(f"{UP}/queue/join", b"{"),
    "nested JSON": posted(f"{UP}/queue/join", b"[" * 100_000),
    "much JSON": posted(f"{UP}/queue/join", b'"' + b"a" * (2 << 20) + b'"'),
    "no JSON at all": posted(f"{UP}/queue/join", b"\xff\x00", "text/plain"),
    "upload of JSON": posted(f"{UP}/upload"),
    "upload without a boundary": posted(f"{UP}/upload", b"x", "multipart/form-data"),
    "upload of nothing": posted(f"{UP}/upload", b"--x--\r\n", FORM),
    "upload of noise": posted(f"{UP}/upload", b"\x00\xff" * 1000, FORM),
    "prediction without the page": posted(f"{UP}/run/answer", b'{"data": []}'),
    "past the queue": lambda v, f: v.http.post(
        f"{UP}/run/predict", json={"data": [None, None, 30], "fn_index": v.button}
    ),
    "call without the page": posted(f"{UP}/call/answer", b'{"data": []}'),
    "ffmpeg": posted(f"{UP}/process_recording", b"x", FORM),
    "component": posted(f"{UP}/component_server", b"{}"),
    "read passwd": got(f"{UP}/file=/etc/passwd"),
    "read by dots": got(f"{UP}/file=../../../../etc/passwd"),
    "read by encoded dots": got(f"{UP}/file=%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd"),
    "read static by dots": got("/static/../../../../../../../../etc/passwd"),
    "read assets by dots": got("/assets/..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd"),
    "fetch": got(f"{UP}/file=http://127.0.0.1:9/"),
    "proxy": got(f"{UP}/proxy=https://example.org/"),
    "all about it": got(f"{UP}/info"),
    "monitoring": got("/monitoring"),
    "another site's name": lambda v, f: raw(v, b"GET / HTTP/1.1\r\nHost: evil.org\r\n\r\n"),
    "another method": lambda v, f: v.http.request("DELETE", "/"),
    "noise": lambda v, f: raw(v, os.urandom(4096) + b"\r\n\r\n"),
    "TLS": lambda v, f: raw(v, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)),
    "a huge header": lambda v, f: raw(v, b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000 + b"\r\n\r\n"),
    "half a header": lambda v, f: raw(v, b"GET / HTTP/1.1\r\nHost: localhost\r\n"),
    "negative length": lambda v, f: announced(v, "-1", b"x"),
    "no length": lambda v, f: announced(v, "many", b"x"),
    "huge length": lambda v, f: announced(v, str(10**18), b"x"),
    "broken off": lambda v, f: announced(v, "1000000", b"--x\r\nContent-Disposition: form-data"),
}


def announced(visitor: Visitor, length: str, content: bytes) -> bytes:
    """An upload whose header says so."""
    lines = [f"POST {UP}/upload HTTP/1.1", "Host: localhost", f"Content-Type: {FORM}"]
    head = "\r\n".join([*lines, f"Content-Length: {length}", "", ""])
    return raw(visitor, head.encode() + content)


def test_there_are_fifty():
    assert len(ATTACKS) >= 50


@pytest.mark.parametrize("name", ATTACKS)
def test_malformed_requests(name, visitor, recordings, lives_on, place):
    uploaded = visitor.send(recordings[0]) if "seconds" in name or "too" in name else {}
    if name.endswith("button") or name == "no session":
        uploaded = visitor.send(recordings[0])
    answer = ATTACKS[name](visitor, uploaded)
    if isinstance(answer, bytes):
        text = answer.decode("latin-1")
        assert not text.startswith("HTTP/1.1 2"), text[:200]
    elif answer.status_code == 200:  # in the queue, or nothing uploaded
        text = str(told(visitor.outcome())) if "event_id" in answer.text else answer.text
        assert "{" in text or text == "[]", text
        assert "'success': False" in text or "error" in text or text == "[]", text
    else:
        text = answer.text
        assert 400 <= answer.status_code < 500 or text == "Internal Server Error", text
    assert "root:" not in text and str(place) not in text and "Traceback" not in text


# --- Limits


def wav(seconds: float, rate: int = SAMPLE_RATE, form: str = "WAV", kind: str = "PCM_16") -> bytes:
    """A little noise, then silence."""
    left, stream = round(seconds * rate), io.BytesIO()
    with soundfile.SoundFile(stream, "w", rate, 1, kind, format=form) as sound:
        sound.write(np.random.default_rng(0).normal(0, 0.1, 1000))
        left -= 1000
        while left > 0:  # libvorbis takes no hour at once
            sound.write(np.zeros(min(left, 60 * rate), np.float32))
            left -= 60 * rate
    return stream.getvalue()


def video(seconds: float) -> bytes:
    """Silence, as MP4."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.mp4")
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-f", "lavfi", "-i", f"anullsrc=d={seconds}"]
        subprocess.run([*command, "-c:a", "aac", path], check=True, capture_output=True)
        return path.read_bytes()


LONG = {
    "wav": lambda scale: wav(21),
    "slow wav": lambda scale: wav(500, 1000),
    "flac": lambda scale: wav(900 * scale, form="FLAC"),
    "ogg": lambda scale: wav(200 * scale, form="OGG", kind="VORBIS"),
    "mp3": lambda scale: wav(120 * scale, form="MP3", kind="MPEG_LAYER_III"),
    "video": lambda scale: video(120 * scale),
}


@pytest.mark.parametrize("kind", LONG)
def test_long_recordings_are_refused(kind, long_form, visitor, lives_on, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(LONG[kind](4 if long_form else 1))
    assert path.stat().st_size < MAX_BYTES
    assert "at most 20 s are taken" in visitor.recognise(path)


def test_recordings_within_the_limits_are_answered(visitor, recognizer, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(wav(19.9))
    assert visitor.recognise(path) == expected(recognizer, path)


def chunks(size: int) -> Iterator[bytes]:
    """An upload that doesn't tell its length."""
    yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.wav"\r\n\r\n'
    for _ in range(size // 50_000):
        yield bytes(50_000)
    yield b"\r\n--x--\r\n"


@pytest.mark.parametrize("files", [1, 3])
@pytest.mark.parametrize("told_length", [True, False])
def test_large_uploads_are_refused(files, told_length, visitor, lives_on):
    if told_length:
        size = MAX_BYTES + (1 << 20) if files == 1 else MAX_BYTES - 1000
        answer = visitor.upload(*[("a.wav", bytes(size))] * files)
        assert answer.status_code == 413
    else:
        size = files * (MAX_BYTES + (1 << 20))
        try:
            answer = visitor.http.post(
                f"{UP}/upload", content=chunks(size), headers={"content-type": FORM}
            )
            assert answer.status_code >= 400
        except httpx.TransportError:
            pass  # it hung up


@pytest.mark.parametrize("kind", ["text", "empty", "a zip", "a playlist", "a list of files"])
def test_files_that_are_no_recordings(kind, visitor, lives_on, place, tmp_path):
    contents = {"text": b"Dear diary", "empty": b"", "a zip": b"PK\x03\x04" + bytes(100)}
    contents["a playlist"] = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
    contents["a list of files"] = b"ffconcat version 1.0\nfile /etc/passwd\n"
    path = tmp_path / "a <b>.wav"
    path.write_bytes(contents[kind])
    said = visitor.recognise(path)
    assert 'role="alert"' in said and "<b>" not in said and str(place) not in said


# --- Nothing is kept


def test_uploads_are_deleted(visitor, recordings, place, lives_on, monkeypatch):
    """Also those that were broken off."""
    announced(visitor, "1500000", b"--x\r\n" + b"a" * 1000)
    visitor.send(recordings[1])
    monkeypatch.setattr(keeping.time, "time", lambda real=time.time: real() + keeping.KEPT)
    monkeypatch.setattr(keeping, "SWEPT", 0)
    folder = Path(os.environ["GRADIO_TEMP_DIR"])
    with keeping.swept(folder):
        deadline = time.monotonic() + 30
        while any(path.is_file() for path in folder.rglob("*")):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_full_house_is_told(visitor, recordings, lives_on, monkeypatch):
    monkeypatch.setattr(door, "ROOM", -1)
    assert visitor.upload(("a.wav", b"x")).status_code == 503
    monkeypatch.undo()
    assert visitor.upload(("a.wav", b"x")).status_code == 200


def test_it_listens_here_alone(address):
    port = f"{urlsplit(address).port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines() if sys.platform == "linux" else []
    listening = [line.split()[1] for line in lines if line.split()[3] == "0A"]
    assert [place for place in listening if place.endswith(f":{port}")] == [f"0100007F:{port}"]


def test_slow_visitors_keep_nobody_out(address, recordings, recognizer):
    port = urlsplit(address).port
    lines = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
    try:
        for k, line in enumerate(lines):
            half = f"POST {UP}/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n"
            line.sendall((half + ("\r\n--x" if k % 2 else "X: ")).encode())
        with Visitor(address) as somebody:
            assert somebody.recognise(recordings[2]) == expected(recognizer, recordings[2])
    finally:
        for line in lines:
            line.close()
