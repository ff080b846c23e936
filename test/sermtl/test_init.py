"""The package's doors."""

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
