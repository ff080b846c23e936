"""A model from its configuration, new or trained."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from safetensors.torch import load_file

from sermtl.data.statistics import inventories
from sermtl.errors import UserError
from sermtl.model.finite import not_finite
from sermtl.model.ser_model import SERModel
from sermtl.model.ssl_frontend import SSLFrontend
from sermtl.model.swfc import SWFCLoss
from sermtl.model.weights import load
from sermtl.options import options_of


def build_model(config: Mapping[str, Any], pretrained: bool = True) -> SERModel:
    """Build from ``frontend_conf``, ``model_conf``, ``labels`` and ``token_list``.

    Auxiliary tasks without any label in the training data are switched off.

    Args:
        config: the training configuration.
        pretrained: load the encoder's weights; false when a checkpoint follows.
    """
    labels = config["labels"]
    model_conf = dict(config["model_conf"])
    wanted = model_conf.pop("tasks")
    model_conf["tasks"] = [task for task in wanted if labels["tasks"][task] > 0]
    with options_of("frontend_conf", SSLFrontend, config["frontend_conf"]):
        frontend = SSLFrontend(**config["frontend_conf"], init=pretrained)
    with (
        options_of("model_conf swfc", SWFCLoss, model_conf.get("swfc") or {}),
        options_of("model_conf", SERModel, model_conf),
    ):
        return SERModel(
            frontend,
            inventories(labels),
            emotion_counts=[labels["counts"]["emotion"].get(e, 0) for e in labels["emotions"]],
            tokens=config["token_list"],
            **model_conf,
        )


def load_trained(config_file: str | Path, weights: str | Path) -> tuple[SERModel, dict[str, Any]]:
    """A trained model in eval mode and its configuration.

    Args:
        config_file: ``config.yaml`` of an experiment, or ``config.json`` of a packed model.
        weights: a state dict saved by training, or safetensors; no pickled code is run.

    Raises:
        UserError: if a file is missing or weights and configuration don't belong together.
    """
    config_file, weights = Path(config_file), Path(weights)
    for path in (config_file, weights):
        if not path.exists():
            raise UserError(f"{path} is missing: has training (stage 5) finished?")
    # YAML would read JSON's 1e-05 as text.
    parse = json.loads if config_file.suffix == ".json" else yaml.safe_load
    try:
        config = parse(config_file.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(f"{config_file}: damaged ({error})") from error
    if not isinstance(config, dict):
        raise UserError(f"{config_file}: damaged, or no configuration")
    model = build_model(config, pretrained=False)
    if weights.suffix == ".safetensors":
        state = load_file(weights)
    else:
        state = load(weights)
    missing, unexpected = model.load_state_dict(state, strict=False)
    if missing or unexpected:
        raise UserError(
            f"{weights} doesn't fit {config_file}: missing {missing[:3]}, unexpected "
            f"{unexpected[:3]} ({len(missing)} and {len(unexpected)} in all)"
        )
    if odd := not_finite(state):
        raise UserError(
            f"{weights}: {len(odd)} of {len(state)} weights, {odd[0]} for one, are infinite or "
            "undefined. Take other weights of the experiment, or train it anew"
        )
    return model.eval(), config
