"""The proposed system and its ablations: what each reached, and how surely it differs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sermtl.data.tasks import CLOSED
from sermtl.scoring.comparison import compare
from sermtl.scoring.tested import AnsweredSet

PROPOSED = "proposed"
ABLATIONS = (
    "ser_only",
    "wo_mtl",
    "wo_coattention",
    "wo_swfc",
    "last_layer",
    "ser_asr",
    "ser_gender",
    "ser_speaker",
)
"""Files of ``conf/ablation/``, in the order of the paper's tables."""
SHOWN = ("n", "n_unlabelled", "models", "labels", "majority", "wer_n", "wer_reference", "wer_form")
SHOWN += ("macro_f1", "micro_f1", "accuracy", "uar", "wer")
SHOWN += (*(f"{task}_accuracy" for task in CLOSED), "speaker_eer")
OPEN = ("macro_f1", "accuracy")


def ablation_figures(
    results: Mapping[str, Mapping[str, Any]],
    proposed: Mapping[str, AnsweredSet],
    ablated: Mapping[str, AnsweredSet] | None = None,
) -> dict[str, dict[str, Any]]:
    """What the tables show of one system, by test set.

    Args:
        results: content of its ``results.json``.
        proposed: the proposed system's answers.
        ablated: this one's, unless it is the proposed system.

    Returns:
        For every test set, figures of ``results.json`` and, in ``against_proposed``, the
        ``difference`` to the proposed system and the ``p`` of the paired test, by metric.
    """
    figures: dict[str, dict[str, Any]] = {}
    for title, scores in results.items():
        entry = {key: scores[key] for key in SHOWN if key in scores}
        if "open" in scores:
            entry["open"] = {key: scores["open"][key] for key in OPEN}
        if ablated is not None:
            entry["against_proposed"] = compare(proposed[title], ablated[title])
        figures[title] = entry
    return figures
