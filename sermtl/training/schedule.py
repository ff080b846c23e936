"""Warm-up, then a half cosine to zero, over however many steps the training turns out to have."""

from __future__ import annotations

import math

from espnet2.schedulers.abs_scheduler import AbsBatchStepScheduler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from typeguard import typechecked


class WarmupCosine(LRScheduler, AbsBatchStepScheduler):
    """Learning rates by the share of the training that is done, not by counted steps.

    So one configuration suits corpora of any size; each parameter group keeps its own peak.

    Args:
        optimizer: its groups' learning rates are the peaks.
        warmup: share of the training in which the rates rise linearly.
    """

    @typechecked
    def __init__(self, optimizer: Optimizer, warmup: float = 0.1, last_epoch: int = -1) -> None:
        if not 0 <= warmup < 1:
            raise ValueError(f"warmup is a share of the training, from 0 to below 1, not {warmup}")
        self.warmup = warmup
        self.share = 0.0
        self.increment = 0.0
        super().__init__(optimizer, last_epoch)

    def begin_epoch(self, epoch: int, max_epoch: int, steps: int) -> None:
        """Tell where training is.

        Args:
            epoch: the epoch that begins, from 1.
            max_epoch: the last one.
            steps: optimiser steps in this epoch.
        """
        self.increment = 1 / (max_epoch * max(steps, 1))
        self.share = (epoch - 1) / max_epoch
        for group, rate in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = rate

    def step(self, epoch: int | None = None) -> None:
        """To the next optimiser step's learning rates."""
        self.share += self.increment
        super().step()

    def get_lr(self) -> list[float]:
        """Every group's learning rate."""
        # The step about to be made counts as done, or the first would have a rate of zero.
        share = min(self.share + self.increment, 1.0)
        if share < self.warmup:
            factor = share / self.warmup
        else:
            factor = (1 + math.cos(math.pi * (share - self.warmup) / (1 - self.warmup))) / 2
        return [peak * factor for peak in self.base_lrs]
