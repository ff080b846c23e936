"""``ser_train --ngpu 2`` on a machine without GPUs; the second process is killed."""

from __future__ import annotations

import argparse
import signal

from training_rank import fails_in_epoch_two

from sermtl.errors import run_main
from sermtl.training.task import SERTask


class CPUTask(SERTask):
    """Where ESPnet starts a process for a GPU, it takes the CPU."""

    @classmethod
    def main_worker(cls, args: argparse.Namespace) -> None:
        """Train in this process."""
        args.ngpu, args.local_rank, args.dist_backend = 0, None, "gloo"
        with fails_in_epoch_two(signal.SIGKILL if args.dist_rank == 1 else 0):
            super().main_worker(args)


if __name__ == "__main__":
    run_main(CPUTask.main)
