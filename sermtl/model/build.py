"""A model from its configuration, new or trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sermtl.data.statistics import inventories
from sermtl.errors import UserError, first_line
from sermtl.model.finite import not_finite
from sermtl.model.ser_model import SERModel
from sermtl.model.ssl_frontend import SSLFrontend
from sermtl.model.swfc import SWFCLoss
from sermtl.model.weights import load_state, misfits
from sermtl.model_config import read_model_config
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
    config = read_model_config(config_file)
    state = load_state(weights)
    try:
        with torch.device("meta"):  # takes no memory before the weights are known to fit
            model = build_model(config, pretrained=False)
    except UserError as error:
        raise UserError(f"{config_file}: {error}") from error
    except Exception as error:  # a crafted configuration may fail anywhere in what it builds
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise UserError(f"{config_file}: no model can be built from it ({reason})") from error
    own = model.state_dict()
    misfit = misfits(own, state) or misfits(state, own).replace("missing", "superfluous")
    if misfit:
        raise UserError(f"{weights} doesn't fit {config_file}, {misfit}")
    if odd := not_finite(state):
        raise UserError(
            f"{weights}: {len(odd)} of {len(state)} weights, {odd[0]} for one, are infinite or "
            "undefined. Take other weights of the experiment, or train it anew"
        )
    # Copies: safetensors' are windows on the file.
    copies = {name: state.pop(name).to(value.dtype, copy=True) for name, value in own.items()}
    model.load_state_dict(copies, assign=True)
    return model.eval(), config
