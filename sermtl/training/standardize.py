"""A start for the LayerNorm on the pooled vector that fits the data."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import torch
from espnet2.torch_utils.device_funcs import to_device

from sermtl.model.distributed import sum_over_ranks
from sermtl.model.finite import name_odd
from sermtl.model.ser_model import SERModel


@torch.no_grad()
def standardize_pooled(
    model: SERModel,
    batches: Iterable[tuple[list[str], dict[str, torch.Tensor]]],
    device: str,
) -> None:
    """Set the LayerNorm's scale and offset so that each component has zero mean and unit variance.

    A LayerNorm brings each vector to unit variance, but its components differ among each other by
    orders of magnitude in how much they vary over the data, and heads on a small corpus don't live
    long enough to make up for that. A norm that isn't fresh any more (``--init_param``) is left
    as it is.

    Args:
        model: not yet wrapped for several processes.
        batches: this process's share of the training set.
        device: ``cpu`` or ``cuda``.
    """
    norm = model.pooled_norm
    if not (bool((norm.weight == 1).all()) and bool((norm.bias == 0).all())):
        logging.info("the pooled vector's norm has been trained before: not standardised")
        return
    model.eval()
    sums = torch.zeros(3, len(norm.weight), dtype=torch.float64, device=device)  # 1, x, x²
    for ids, batch in batches:
        batch = to_device(batch, device)
        outputs = model.outputs(batch["speech"], batch["speech_lengths"])
        finite = outputs.finite()
        name_odd(ids, finite)
        normed = norm(outputs.pooled[finite].float()).double()
        sums += torch.stack([torch.ones_like(normed), normed, normed.square()]).sum(1)
    count, total, squares = sum_over_ranks(sums)
    if not count[0]:
        return  # which the first epoch will tell of
    mean = total / count
    deviation = (squares / count - mean.square()).clamp_min(1e-10).sqrt()
    norm.weight.copy_(1 / deviation)
    norm.bias.copy_(-mean / deviation)
