"""A line that says how far training is, how well it goes and when it will end."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from typing import Any

from espnet2.train.reporter import SubReporter

from sermtl.data.tasks import CLOSED
from sermtl.model.distributed import world_size
from sermtl.training.log import PREFIX

SHOWN = ("macro_f1", "uar", *(f"acc_{task}" for task in CLOSED), "token_error_rate")
SKIPPED = {"skipped_steps": "steps left out", "ctc_skipped": "clips too short for their text"}


def clock(seconds: float) -> str:
    """``h:mm:ss``."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"


class Progress:
    """Logs a line now and then while an epoch's batches pass through.

    Args:
        start_epoch, max_epoch: first epoch of this process and the last one.
        interval: seconds between lines.
    """

    def __init__(self, start_epoch: int, max_epoch: int, interval: float = 10.0) -> None:
        self.start_epoch, self.max_epoch, self.interval = start_epoch, max_epoch, interval
        self.start = time.perf_counter()

    def watch(
        self, batches: Iterable[Any], steps: int, epoch: int, reporter: SubReporter
    ) -> Iterator[Any]:
        """Yield the batches of a training epoch of ``steps`` batches."""
        begin = last = time.perf_counter()
        utterances = 0
        for step, batch in enumerate(batches, 1):
            yield batch
            utterances += len(batch[0]) * world_size()
            now = time.perf_counter()
            if now - last >= self.interval:
                last = now
                done = epoch - self.start_epoch + step / steps
                left = (now - self.start) / done * (self.max_epoch - self.start_epoch + 1 - done)
                loss = reporter.stats["loss"][-1].value
                logging.info(
                    f"{PREFIX} epoch {epoch}/{self.max_epoch}  {step}/{steps}  loss {loss:.3f}  "
                    f"{utterances / (now - begin):.0f} utt/s  {clock(left)} left"
                )

    def epoch_done(self, epoch: int, train: dict[str, float], valid: dict[str, float]) -> None:
        """Log the epoch's losses and validation metrics."""
        now = time.perf_counter()
        left = (now - self.start) / (epoch - self.start_epoch + 1) * (self.max_epoch - epoch)
        metrics = "  ".join(f"{name} {value:.3f}" for name, value in valid.items() if name in SHOWN)
        skipped = "".join(
            f"  {text} {train[name]:.0f}" for name, text in SKIPPED.items() if train.get(name)
        )
        logging.info(
            f"{PREFIX} epoch {epoch}/{self.max_epoch}  loss {train['loss']:.3f}  "
            f"valid loss {valid['loss']:.3f}  {metrics}{skipped}  {clock(left)} left"
        )
