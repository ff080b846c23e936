"""The package's doors."""

import subprocess
import sys

import pytest
from setuptools import find_packages


def test_every_folder_with_code_is_a_package(root):
    """setup.py ships what find_packages finds; a folder without __init__.py would be left out."""
    folders = {p.parent.relative_to(root) for p in (root / "sermtl").rglob("*.py")}
    assert {".".join(folder.parts) for folder in folders} == set(
        find_packages(str(root), include=["sermtl", "sermtl.*"])
    )


def test_public_names():
    import sermtl.model

    assert sermtl.EmotionRecognizer.__name__ == "EmotionRecognizer"
    for name in sermtl.model.__all__:
        assert getattr(sermtl.model, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing"):
        _ = sermtl.nothing


@pytest.mark.parametrize(
    "module",
    [
        "bin.prepare",
        "bin.transcribe",
        "bin.stats",
        "bin.train",
        "bin.infer",
        "bin.score",
        "data.summary_plot",
    ],
)
def test_stages_that_need_no_model_import_none(root, module):
    """Seconds that every call of run.sh would cost, several times."""
    heavy = "{'torch', 'espnet2', 'transformers'}"
    code = f"import sys, sermtl.{module}; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
