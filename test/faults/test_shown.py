"""What strangers call things is shown as text: on the page, in reports, cards and pictures."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import pytest

from sermtl import markdown
from sermtl.canvas import name_columns, picture
from sermtl.model_card import Facts, card
from sermtl.prediction import Prediction
from sermtl.scoring.tables import per_class, results_md
from sermtl.transcription.report import _corpus_part
from sermtl.web.timeline import timeline

NAMES = {
    "script": "<script>alert(1)</script>",
    "image": '<img src="https://evil.org/x.png" onerror=alert(1)>',
    "picture": "![x](https://evil.org/x.png)",
    "link": "[click](javascript:alert(1))",
    "reference": "[x]: https://evil.org",
    "code": "`$(touch pwned)`",
    "formula": "$$\\frac{$ \\input{/etc/passwd} $$",
    "table": "a | b",
    "comment": "<!-- ",
    "formula of a sheet": "=cmd|'/c calc'!A1",
}
OPEN = re.compile(r"(?<!\\)(<[a-zA-Z!/]|!?\[[^\]]*\][(:\[]|`)")  # what Markdown takes for markup


def scores(name: str) -> dict:
    classes = {name: {"precision": 0.5, "recall": 0.5, "f1": {"value": 0.5}, "support": 3}}
    figure = {"value": 0.5, "low": 0.4, "high": 0.6, "unit": "utterances"}
    return {
        "n": 3,
        "n_unlabelled": 0,
        "outside": {name: 1},
        "labels": [name],
        "macro_f1": figure,
        "majority": {"label": name, "macro_f1": 0.3},
        "per_class": classes,
    }


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_results(name):
    facts = {"commands": [], "versions": {}, "confs": [], "commit": "", "trained_with": ""}
    page = results_md("tag", {"test": scores(name)}, facts | {"parameters": None}, {})
    body = re.sub(r"```sh\n.*?```", "", page, flags=re.S)
    assert not OPEN.search(body), body
    rows = per_class(scores(name)).splitlines()
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_card(name):
    labels = {"emotions": [name], "names": {name: name}, "counts": {"emotion": {name: 3}}}
    labels |= {"tasks": {"emotion": 3}, "speakers": [], "genders": []}
    config = {"labels": labels, "model_conf": {"tasks": []}}
    told = card(Facts("m", config, None, {"test": scores(name)}, "", [], None))
    tables = "\n".join(line for line in told.splitlines() if line.startswith("|"))
    assert tables.count("utterances") == 2 and not OPEN.search(tables), tables


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_transcripts_in_the_report(name):
    worst = [{"id": name, "wer": 1.0, "avg_logprob": -1.0, "corpus": name, "whisper": name}]
    figures = dict.fromkeys(("wer", "cer", "identical", "wer_above_50", "wer_above_100"), 0.5)
    page = "\n\n".join(_corpus_part({"compared": 1, "worst": worst, **figures}))
    assert not OPEN.search(page), page


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_page(name):
    pytest.importorskip("gradio", reason="the extra serve isn't installed")
    from sermtl.web.app import build

    page = build(SimpleNamespace(names={"A": name, "B": "b"}))
    shown = [block["props"].get("value") for block in page.get_config_file()["components"]]
    texts = [text for text in shown if isinstance(text, str)]
    assert any(markdown.plain(name) in text for text in texts)
    assert not OPEN.search("\n".join(texts))
    html = timeline(Prediction("A", {"A": 0.7, "B": 0.3}, duration=2.0), {"A": name, "B": "b"})
    assert "<script" not in html and "<img" not in html and "<!--" not in html


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_pictures(name, tmp_path):
    with picture(tmp_path / "p", 2, 2) as figure:
        name_columns(figure.subplots(), [name, json.dumps(name)])
    assert {path.name for path in tmp_path.iterdir()} == {"p.png", "p.pdf"}
