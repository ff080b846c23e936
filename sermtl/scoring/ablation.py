"""The proposed system and its ablations: what each reached, and how surely it differs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sermtl.errors import UserError
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
FIGURES = ("n", "macro_f1", "micro_f1", "accuracy", "uar", "wer", "gender_accuracy", "speaker_eer")


@dataclass(frozen=True)
class System:
    """One trained and tested system."""

    results: Mapping[str, Mapping[str, Any]]  # content of its results.json
    sets: Mapping[str, AnsweredSet]  # its answers, for the paired test
    layer_mixing: str  # of its configuration


def layer_mixing(conf: Path) -> str:
    """How the system mixes layers, from its ``conf.yaml``."""
    return yaml.safe_load(conf.read_text(encoding="utf-8"))["model_conf"]["layer_mixing"]


def read_results(path: Path) -> dict[str, Any]:
    """A system's ``results.json``.

    Raises:
        UserError: if it isn't scored.
    """
    if not path.exists():
        raise UserError(f"{path} is missing: this system isn't scored yet (stage 7)")
    return json.loads(path.read_text(encoding="utf-8"))


def ablation_figures(systems: Mapping[str, System]) -> dict[str, Any]:
    """What the tables show: ``[system][test set]``.

    Args:
        systems: `PROPOSED` and others.

    Returns:
        For every test set the figures of ``results.json`` that the tables need; but for the
        proposed system also ``against_proposed``: its ``difference`` to the proposed one and the
        ``p`` of the paired test, by metric.
    """
    proposed = systems[PROPOSED]
    figures: dict[str, Any] = {}
    for name, system in systems.items():
        figures[name] = {}
        for title, scores in system.results.items():
            entry = {key: scores[key] for key in FIGURES if key in scores}
            if name != PROPOSED:
                entry["against_proposed"] = compare(proposed.sets[title], system.sets[title])
            figures[name][title] = entry
    return figures
