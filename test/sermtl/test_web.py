"""What the page of `sermtl serve` shows of a prediction, and the command around it."""

import importlib.util
import re
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from sermtl import UserError
from sermtl.cli import main as cli
from sermtl.cli import serve
from sermtl.prediction import Prediction, Window
from sermtl.web import shown
from sermtl.web.timeline import clock, segments, tick_seconds, timeline

NAMES = {"A": "anger", "J": "joy & <fun>"}
ANGRY = Prediction("A", {"A": 0.75, "J": 0.25}, duration=2.0)
JOYFUL = Prediction("J", {"A": 0.1, "J": 0.9}, duration=6.0)
LONG = Prediction(
    "J",
    {"A": 0.2625, "J": 0.7375},
    gender="female",
    gender_score=0.9,
    task_weights={"gender": 0.2, "speaker": 0.3, "asr": 0.5},
    duration=8.0,
    windows=(Window(0.0, 2.0, ANGRY), Window(2.0, 8.0, JOYFUL)),
)


def test_scores_have_names_for_people():
    assert shown.emotions(ANGRY, NAMES) == {"anger": 0.75, "joy & <fun>": 0.25}
    assert shown.gender(LONG) == {"female": 0.9}
    assert shown.tasks(LONG) == {"gender": 0.2, "the speaker's voice": 0.3, "the words": 0.5}


def test_what_the_model_does_not_tell_is_not_shown():
    assert shown.gender(ANGRY) is None and shown.tasks(ANGRY) is None


def test_reasons_keep_the_servers_folders_to_themselves(tmp_path):
    path = tmp_path / "talk.wav"
    path.touch()
    error = UserError(f"{path}: damaged or cut off (Error opening '{path}')")
    assert shown.reason(error, path) == "talk.wav: damaged or cut off (Error opening 'talk.wav')"
    path.unlink()
    assert "no longer here" in shown.reason(error, path)


def test_the_timeline_has_a_strip_for_each_emotion():
    html = timeline(LONG, NAMES)
    assert re.findall(r"<span>([^<]*)</span><svg", html) == ["anger", "joy &amp; &lt;fun&gt;"]
    assert "<fun>" not in html
    bars = re.findall(r'(fill-opacity="0.35")? d="([^"]*)"', html)
    assert bars == [
        ('fill-opacity="0.35"', "M2500 100V90H10000V100z"),  # anger, where it isn't the likeliest
        ("", "M0 100V25H2500V100z"),
        ('fill-opacity="0.35"', "M0 100V75H2500V100z"),
        ("", "M2500 100V10H10000V100z"),
    ]
    assert segments(LONG, NAMES) == [
        ("0:00.0", "0:02.0", "anger"),
        ("0:02.0", "0:08.0", "joy & <fun>"),
    ]


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (2.5, [0, 1, 2]),
        (16.0, [0, 2, 4, 6, 8, 10, 12, 14]),
        (60.5, [0, 10, 20, 30, 40, 50]),  # one at 60 would stick out
        (100_000.0, [0, 14_400, 28_800, 43_200, 57_600, 72_000, 86_400]),
    ],
)
def test_ticks(duration, expected):
    assert tick_seconds(duration) == expected


def test_clock():
    assert [clock(0), clock(59.6), clock(3723)] == ["0:00", "1:00", "1:02:03"]
    assert [clock(9.96, 1), clock(3723.4, 1)] == ["0:10.0", "1:02:03.4"]


def test_without_gradio_it_is_named(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="1"):
        cli(["serve", "exp/train"])
    said = capsys.readouterr().err
    assert said == f"error: sermtl serve needs gradio: pip install '{serve.GRADIO}'\n"
    root = Path(__file__).resolve().parents[2]
    assert f'"serve": ["{serve.GRADIO}"]' in (root / "setup.py").read_text()


def fake_recognizer():
    """Takes files that hold ``long`` or ``short``."""

    def answer(path, window, max_seconds):
        if (text := Path(path).read_text()) == "bad":
            raise UserError(f"{path}: neither audio nor video")
        return {"long": LONG, "short": ANGRY}[text]

    answer.names = NAMES
    return answer


def test_the_page_shows_what_there_is(tmp_path):
    pytest.importorskip("gradio", reason="the extra serve isn't installed")
    from sermtl.web.app import build

    page = build(fake_recognizer())
    answer = next(fn for fn in page.fns.values() if fn.name == "answer").fn
    paths = {}
    for text in ("long", "short", "bad"):
        paths[text] = str(tmp_path / text)
        (tmp_path / text).write_text(text)

    def shows(*arguments):
        """Visible components' values, by their labels."""
        updates = {c: u for c, u in answer(*arguments).items() if isinstance(u, dict)}
        return {
            getattr(c, "label", None) or type(c).__name__: u.get("value")
            for c, u in updates.items()
            if u["visible"]
        }

    assert list(shows(paths["long"], None, 30)) == [
        "Column",
        "Emotion",
        "Gender",
        "What the decision drew on",
    ]
    assert shows(None, paths["short"], 30) == {
        "Column": None,
        "Emotion": {"anger": 0.75, "joy & <fun>": 0.25},
    }
    for arguments, message in (
        ((paths["bad"], None, 30), "bad: neither audio nor video"),
        ((None, None, 30), "Please record something or choose a file first."),
        (("a", "b", 30), "There are a recording and a file: please remove one of them."),
    ):
        assert list(shows(*arguments)) == ["HTML"]
        assert f">{message}<" in shows(*arguments)["HTML"]


def test_a_taken_port_is_named(monkeypatch):
    pytest.importorskip("gradio", reason="the extra serve isn't installed")
    monkeypatch.setattr(serve, "load", lambda args: fake_recognizer())
    for name in ("GRADIO_TEMP_DIR", "no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        args = SimpleNamespace(
            model="m", host="127.0.0.1", port=port, max_megabytes=1.0, max_seconds=10.0
        )
        with pytest.raises(UserError, match=f"can't listen at 127.0.0.1:{port}"):
            serve.run(args)
