"""Speech emotion recognition with multi-task learning."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
__all__ = ["EmotionRecognizer", "Prediction", "UserError", "__version__"]

from sermtl.errors import UserError


def __getattr__(name: str) -> Any:
    """Load the recogniser, and torch with it, only when it is asked for."""
    if name == "EmotionRecognizer":
        from sermtl.recognizer import EmotionRecognizer

        return EmotionRecognizer
    if name == "Prediction":
        from sermtl.prediction import Prediction

        return Prediction
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
