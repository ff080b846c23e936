"""Steps that are left out because their gradient isn't a number, counted and named."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from typing import Any

from espnet2.train.reporter import SubReporter


class Skipped:
    """Tells what an epoch of training left out.

    ESPnet takes no step where the gradient's norm is infinite or undefined. Gradients are averaged
    over the processes, so that all of them leave out the same steps.

    Args:
        reporter: of the epoch.
        accum_grad: batches that make a step.
    """

    def __init__(self, reporter: SubReporter, accum_grad: int) -> None:
        self.reporter, self.accum_grad = reporter, accum_grad
        self.steps = 0

    def watch(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Yield the epoch's batches, and name the utterances of each step that is left out."""
        ids: list[str] = []
        for number, batch in enumerate(batches, 1):
            ids += batch[0]
            yield batch
            if number % self.accum_grad:
                continue
            norm = self.reporter.stats.get("grad_norm")  # ESPnet's, of steps that it takes
            if norm is None or not math.isfinite(norm[-1].value):
                self.steps += 1
                logging.error(
                    f"the step after batch {number} is left out: its gradient is infinite or "
                    f"undefined; utterances: {' '.join(ids)}"
                )
            ids = []

    def counts(self) -> dict[str, int]:
        """For the epoch's statistics: steps, and utterances too short for their transcript."""
        counts = {"skipped_steps": self.steps}
        if "ctc_skipped" in self.reporter.stats:
            counts["ctc_skipped"] = sum(int(v.value) for v in self.reporter.stats["ctc_skipped"])
        return counts
