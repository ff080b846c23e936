"""``--init_param``: training begins with weights of an earlier one."""

from __future__ import annotations

from functools import reduce
from pathlib import Path

import torch
from espnet2.torch_utils.load_pretrained_model import filter_state_dict
from torch import nn

from sermtl.errors import UserError
from sermtl.model.weights import load_state


def initialise(
    init_param: str,
    model: nn.Module,
    ignore_init_mismatch: bool = False,
    map_location: str | torch.device = "cpu",
) -> None:
    """As ESPnet's ``load_pretrained_model``, which would run pickled code.

    Args:
        init_param: ``file[:source[:target[:excluded,…]]]``: of the file's tensors those under the
            name ``source``, but for those whose names begin with an excluded one, for the part
            ``target`` of the model.
        model: gets them.
        ignore_init_mismatch: leave out those of another shape or name.
        map_location: where they are read to.

    Raises:
        UserError: if the file holds anything but weights, or they don't fit.
    """
    file, source, target, excluded = (*init_param.split(":", 3), "", "", "")[:4]
    state = load_state(Path(file), map_location, "Name another file in --init_param")
    left_out = tuple(filter(None, excluded.split(",")))
    state = {name: value for name, value in state.items() if not name.startswith(left_out)}
    if source:
        under = f"{source}."
        state = {n.removeprefix(under): v for n, v in state.items() if n.startswith(under)}
    try:
        part = reduce(getattr, filter(None, target.split(".")), model)
        own = part.state_dict()
        if ignore_init_mismatch:
            state = filter_state_dict(own, state)
        part.load_state_dict({**own, **state})
    except (AttributeError, RuntimeError) as error:
        raise UserError(f"--init_param {init_param} doesn't fit the model: {error}") from error
