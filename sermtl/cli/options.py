"""Options that several subcommands have."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from sermtl.options import DTYPES

if TYPE_CHECKING:
    from sermtl.recognizer import EmotionRecognizer

MODEL = "an experiment's folder, a packed model, or its name on the Hugging Face hub"


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Which model, and where it runs."""
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument(
        "--device", default="auto", help="cpu, cuda, cuda:1 ... (default: a GPU if there is one)"
    )
    parser.add_argument(
        "--dtype", choices=DTYPES, default="float32", help="to compute in (default: %(default)s)"
    )
    parser.add_argument("--revision", help="branch, tag or commit on the hub")


def load(args: argparse.Namespace) -> EmotionRecognizer:
    """The model that these options name."""
    import torch

    from sermtl.recognizer import EmotionRecognizer

    device = args.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return EmotionRecognizer.from_pretrained(
        args.model, device, dtype=args.dtype, revision=args.revision
    )


def seconds(text: str) -> float:
    """A time of a second or more, as ``type`` of an option."""
    value = float(text)
    if not value >= 1:
        raise argparse.ArgumentTypeError(f"{text} s is less than a second")
    return value


def positive(text: str) -> float:
    """A number above zero, as ``type`` of an option."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no number above zero")
    return value
