"""Every command and every line of Python in the README and in docs/, as a reader runs them.

Each page runs from top to bottom in a checkout of its own kind: the demo corpus is small there, and
trained for one epoch. Blocks that say what they need (a corpus, a GPU, an account) don't run; their
options are checked by `test/test_docs.py`.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/*.md"))]
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SMALLER = {
    "egs/demo/conf/train.yaml": ("max_epoch: 25", "max_epoch: 1"),
    "egs/demo/recipe.conf": ("demo_utterances=1200", "demo_utterances=100"),
}
EMOTIONS = ["anger", "neutral", "sadness"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """The project's files, and what its pages speak of."""
    folder = tmp_path_factory.mktemp("pages") / "sermtl"
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():  # not deleted just now
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    for name, (old, new) in SMALLER.items():
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))
    random = np.random.default_rng(0)
    rows = ["path,emotion,gender,speaker,text,split"]
    for i in range(12):
        path = folder / "recordings" / f"{i}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, random.normal(0, 0.1, 12_000 + 500 * i), 16_000)
        rows.append(f"recordings/{i}.wav,{EMOTIONS[i % 3]},f,s{i % 4},some words,test")
    (folder / "my.csv").write_text("\n".join(rows) + "\n")
    (folder / "more").mkdir()
    soundfile.write(folder / "more" / "a.flac", random.normal(0, 0.1, 20_000), 44_100)
    soundfile.write(folder / "speech.wav", random.normal(0, 0.1, (30_000, 2)), 22_050)
    soundfile.write(folder / "talk.wav", random.normal(0, 0.1, 160_000), 16_000)
    run("./run.sh", folder)  # what the README's first command leaves, and other pages build on
    return folder


def run(script, folder):
    environment = {"HOME": str(folder), "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
    environment |= {"VIRTUAL_ENV": sys.prefix}
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout[-5000:]}"
    return done.stdout


def script(page):
    """What runs of a page."""
    parts = []
    for language, text in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
        parts.append(text if language == "sh" else f"python -W error - <<'PYTHON'\n{text}PYTHON\n")
    return "\n".join(parts)


@pytest.mark.parametrize("page", [page for page in PAGES if script(page)])
def test_a_page_runs(page, checkout):
    run(script(page), checkout)


def test_most_of_what_can_run_does():
    assert sum(bool(script(page)) for page in PAGES) >= 5
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for information in re.findall(r"^```(sh.+)$", text, re.MULTILINE):
            assert re.fullmatch(r"sh needs: \S.*", information), (page, information)
