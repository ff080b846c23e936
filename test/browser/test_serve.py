"""`sermtl serve` as people use it; run.sh starts this."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import kaldiio
import numpy as np
import pytest
import soundfile
from playwright.sync_api import sync_playwright
from visit import Server, Visitor, browser

from sermtl import EmotionRecognizer
from sermtl.prediction import Prediction
from sermtl.web import shown
from sermtl.web.timeline import segments


@pytest.fixture(scope="module")
def files(training_data, tmp_path_factory):
    """Recordings, and files that are none."""
    folder = tmp_path_factory.mktemp("files")
    clips = [s for _, s in kaldiio.load_scp(str(training_data / "train" / "wav.scp")).values()]
    for k, clip in enumerate(clips):
        soundfile.write(folder / f"{k}.wav", clip, 16_000)
    soundfile.write(folder / "long.wav", np.concatenate(clips * 2), 16_000)
    soundfile.write(folder / "other.w64", clips[0], 16_000)
    soundfile.write(folder / "empty.wav", clips[0][:0], 16_000)
    soundfile.write(folder / "short.wav", clips[0][:100], 16_000)
    (folder / "text.wav").write_text("Dear diary")
    return folder


@pytest.fixture(scope="module")
def server(trained, tmp_path_factory):
    running = Server(trained, tmp_path_factory.mktemp("tmp"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def chromium(files):
    with sync_playwright() as playwright, browser(playwright, files / "long.wav") as started:
        yield started


@pytest.fixture
def visit(chromium, server):
    """Visitors, each in a browser of their own; none of which may ask other hosts for anything."""
    visitors = []

    def arrive() -> Visitor:
        visitors.append(Visitor(chromium.new_context(), server.address))
        return visitors[-1]

    yield arrive
    asked = {urlsplit(url).netloc for v in visitors for url in v.requests if url[:4] == "http"}
    for visitor in visitors:
        visitor.page.context.close()
    assert asked == {urlsplit(server.address).netloc}
    assert server.connections() == 0


def check(visitor: Visitor, recognizer: EmotionRecognizer, p: Prediction) -> None:
    """The page says what Python says."""
    for label, values in (
        ("Emotion", shown.emotions(p, recognizer.names)),
        ("Gender", shown.gender(p)),
        ("What the decision drew on", shown.tasks(p)),
    ):
        assert visitor.bars(label) == {
            name: pytest.approx(100 * value, abs=0.51) for name, value in values.items()
        }
    assert visitor.page.get_by_label("Transcript").input_value() == p.transcript


def test_an_upload_is_answered_as_in_python(visit, recognizer, files):
    visitor = visit()
    visitor.choose(files / "0.wav")
    visitor.button.click()
    check(visitor, recognizer, recognizer(files / "0.wav"))
    assert not visitor.page.get_by_role("heading", name="Timeline").is_visible()


def test_files_that_the_browser_does_not_know(visit, recognizer, files):
    visitor = visit()
    visitor.choose_other(files / "other.w64")
    visitor.button.click()
    check(visitor, recognizer, recognizer(files / "other.w64"))


def test_a_long_recording_has_a_timeline(visit, recognizer, files):
    visitor = visit()
    visitor.choose(files / "long.wav")
    visitor.window(1)
    visitor.button.click()
    p = recognizer(files / "long.wav", window=1)
    assert len(p.windows) > 3
    check(visitor, recognizer, p)
    visitor.page.get_by_role("heading", name="Timeline").wait_for()
    assert visitor.page.locator(".timeline svg").count() == len(p.scores)
    rows = visitor.page.locator(".segments tbody tr").all()
    assert [tuple(r.locator("td").all_inner_texts()) for r in rows] == segments(p, recognizer.names)
    width = visitor.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert width <= 0  # nothing sticks out


def test_speech_from_the_microphone(visit, recognizer):
    visitor = visit()
    visitor.record(1.5)
    visitor.button.click()
    assert set(visitor.bars("Emotion")) == set(recognizer.names.values())


def test_bad_files_are_told_and_good_ones_go_on(visit, recognizer, files, server):
    visitor = visit()
    visitor.button.click()
    visitor.page.get_by_text("choose a file first").wait_for()
    for name, reason in (
        ("text.wav", "neither audio nor video"),
        ("empty.wav", "0 samples"),
        ("short.wav", "100 samples"),
    ):
        visitor.choose(files / name)
        visitor.button.click()
        visitor.page.get_by_text(f"{name}: {reason}").wait_for()
        assert str(server.temporary) not in visitor.page.inner_text("body")
    visitor.choose(files / "1.wav")
    visitor.button.click()
    check(visitor, recognizer, recognizer(files / "1.wav"))
    assert not visitor.page.get_by_role("alert").is_visible()


def test_an_answer_goes_with_its_recording(visit, files):
    visitor = visit()
    visitor.choose(files / "0.wav")
    visitor.button.click()
    visitor.bars("Emotion")
    visitor.clear()
    visitor.page.get_by_test_id("label").first.wait_for(state="hidden")


def test_visitors_at_once_get_their_own_answers(visit, recognizer, files):
    visitors = [visit() for _ in range(3)]
    for turn in range(2):
        paths = [files / f"{3 * turn + k}.wav" for k in range(3)]
        for visitor, path in zip(visitors, paths, strict=True):
            visitor.choose(path)
        for visitor in visitors:
            visitor.button.click(no_wait_after=True)
        for visitor, path in zip(visitors, paths, strict=True):
            check(visitor, recognizer, recognizer(path))


def test_ctrl_c_ends_it_and_leaves_no_recordings(trained, chromium, files, tmp_path):
    server = Server(trained, tmp_path)
    context = chromium.new_context()
    visitor = Visitor(context, server.address)
    visitor.choose(files / "0.wav")
    visitor.button.click()
    visitor.bars("Emotion")
    assert len(list(Path(tmp_path).rglob("0.wav"))) == 1
    assert server.stop() == 0
    assert list(tmp_path.iterdir()) == []
    context.close()
