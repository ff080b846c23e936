"""The page: a recording in, what the model says of it out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from sermtl.data import WINDOW
from sermtl.errors import UserError
from sermtl.markdown import plain
from sermtl.web import shown
from sermtl.web.keeping import KEPT
from sermtl.web.timeline import timeline

if TYPE_CHECKING:
    from sermtl.prediction import Prediction
    from sermtl.recognizer import EmotionRecognizer

QUEUE = 100  # recordings that may wait

INTRODUCTION = """\
# Speech emotion recognition

Which of these does a recording sound like: {emotions}?"""
NOTE = f"""\
This is a guess about how speech *sounds*, not about what a person feels: don't decide anything \
about anybody by it.

Recordings stay on the machine that runs this page, which deletes them within \
{KEPT // 60} minutes."""

MESSAGE = '<p role="alert" style="border-left: 4px solid #D55E00; padding: 4px 12px">{}</p>'


def build(recognizer: EmotionRecognizer, max_seconds: float = math.inf) -> gr.Blocks:
    """The page for a model, for recordings of up to so many seconds."""
    with gr.Blocks(
        title="Speech emotion recognition",
        analytics_enabled=False,
    ) as page:
        gr.Markdown(INTRODUCTION.format(emotions=", ".join(map(plain, recognizer.names.values()))))
        with gr.Row():
            with gr.Column():
                recording = gr.Audio(
                    sources=["upload", "microphone"],
                    type="filepath",  # for our reader, which takes more formats
                    label="Recording",
                    buttons=[],  # one of which shares the recording with the world
                )
                with gr.Accordion("Other kinds of files", open=False):
                    other = gr.File(label="Video, W64, NIST SPHERE ...", height=120)
                window = gr.Slider(
                    1,
                    WINDOW,
                    WINDOW,
                    step=1,
                    label="Window (seconds)",
                    info="Longer recordings are cut where it is quiet; short windows give a finer "
                    "timeline.",
                )
                button = gr.Button("Recognise", variant="primary")
                gr.Markdown(NOTE)
            with gr.Column():
                message = gr.HTML(visible=False)
                with gr.Column(visible=False) as results:
                    fields = _fields(recognizer.names)
        with gr.Column(visible=False) as course:
            gr.Markdown("### Timeline")
            strips = gr.HTML(apply_default_css=False)

        def answer(recorded: str | None, file: str | None, seconds: float) -> dict[Any, Any]:
            try:
                prediction = _recognised(recognizer, _one(recorded, file), seconds, max_seconds)
            except UserError as error:
                return {
                    message: gr.update(value=MESSAGE.format(escape(str(error))), visible=True),
                    results: gr.update(visible=False),
                    course: gr.update(visible=False),
                }
            return {
                message: gr.update(visible=False),
                results: gr.update(visible=True),
                course: gr.update(visible=bool(prediction.windows)),
                strips: timeline(prediction, recognizer.names) if prediction.windows else "",
                **{field: _filled(value(prediction)) for field, value in fields.items()},
            }

        def clear() -> list[Any]:
            return [gr.update(visible=False)] * 3

        outputs = [message, results, course]
        # One at a time: a model shares its memory and cores between all who ask.
        button.click(
            answer,
            [recording, other, window],
            [*outputs, strips, *fields],
            concurrency_limit=1,
        )
        # An answer beside another recording would be taken for that one's.
        gr.on([recording.change, other.change], clear, None, outputs, queue=False)
    return page.queue(max_size=QUEUE)


def _one(recorded: str | None, file: str | None) -> str:
    if recorded is not None and file is not None:
        raise UserError("There are a recording and a file: please remove one of them.")
    path = recorded or file
    if path is None:
        raise UserError("Please record something or choose a file first.")
    return path


def _recognised(
    recognizer: EmotionRecognizer, path: str, window: float, max_seconds: float
) -> Prediction:
    try:
        return recognizer(path, window=window, max_seconds=max_seconds)
    except UserError as error:
        raise UserError(shown.reason(error, Path(path))) from error


def _fields(names: Mapping[str, str]) -> dict[gr.Label | gr.Textbox, Callable[[Prediction], Any]]:
    """Components, and what each shows of a prediction."""
    shows: dict[gr.Label | gr.Textbox, Callable[[Prediction], Any]] = {}
    shows[gr.Label(label="Emotion")] = lambda p: shown.emotions(p, names)
    shows[gr.Label(label="Gender", show_heading=False)] = shown.gender
    transcript = gr.Textbox(label="Transcript", placeholder="(no words)", interactive=False)
    shows[transcript] = lambda p: p.transcript
    shows[gr.Label(label="What the decision drew on", show_heading=False)] = shown.tasks
    return shows


def _filled(value: Any) -> dict[str, Any]:
    """An update of a component, which isn't there for what the model doesn't tell."""
    return gr.update(value=value, visible=value is not None)
