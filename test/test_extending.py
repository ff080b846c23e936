"""docs/extending.md speaks of code that is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```([^\n]*)\n(.*?)^```$", PAGE, re.M | re.S)
PROSE = re.sub(r"^```.*?^```$", "", PAGE, flags=re.M | re.S)
SPANS = re.findall(r"`([^`]+)`", PROSE)
NEW = set(re.findall(r"`([^`]+)` \(new\)", PROSE))  # what the reader makes
# of Python or transformers
OTHERS = {"save_pretrained", "Data2VecAudioForCTC", "super", "transpose"}
EXAMPLES = {"Data2VecAudio", "utt2age", "age_score", "acc_age", "weight_age", "emovo_root"}


def changes():
    """File, a line that it must have, for every diff."""
    for kind, block in BLOCKS:
        if kind == "diff":
            for part in block.split("--- ")[1:]:
                file, *lines = part.splitlines()
                yield from ((file, line[1:]) for line in lines if line[0] in " -")


@pytest.mark.parametrize(("file", "line"), changes())
def test_changed_lines_are_there(file, line):
    assert line in (ROOT / file).read_text(encoding="utf-8").splitlines()


def test_files_are_there():
    paths = {s for s in SPANS if re.fullmatch(r"(sermtl|test|egs|conf|docs)/[\w./]+", s)}
    assert len(paths) > 15
    assert {path for path in paths - NEW if not (ROOT / path).exists()} == set()
    assert {path for path in NEW if (ROOT / path).exists()} == set()


def test_names_are_there():
    """Names in running text, and those that the Python excerpts take from the project."""
    sources = [*ROOT.glob("sermtl/**/*.py"), *ROOT.glob("test/**/*.py"), *ROOT.glob("conf/*.yaml")]
    texts = [p.read_text(encoding="utf-8") for p in sources if p != Path(__file__).resolve()]
    known = set(re.findall(r"\w+", "\n".join(texts)))
    # `name`, `name.name`, `name(...)`; with an underscore or a capital, or it may be a mere word
    spans = (re.match(r"[\w.]+(?=$|\()", span) for span in SPANS)
    used = {name for span in spans if span for name in span[0].split(".")}
    used = {name for name in used if re.search(r"_|[A-Z]", name)}
    for kind, block in BLOCKS:
        if kind == "py":
            used |= set(re.findall(r"\b(\w+)\(", block))
    assert len(used) > 30
    assert used - known - OTHERS - EXAMPLES == set()


def test_python_excerpts_are_python():
    excerpts = [block for kind, block in BLOCKS if kind == "py"]
    assert excerpts
    for excerpt in excerpts:
        compile(excerpt, "docs/extending.md", "exec")
