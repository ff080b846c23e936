"""Train a model: what ESPnet's launcher starts on each node."""

from __future__ import annotations

from collections.abc import Sequence

from sermtl.errors import run_main
from sermtl.jobs import end_with_stage
from sermtl.training.task import SERTask


def main(argv: Sequence[str] | None = None) -> None:
    """ESPnet's options and those of the task; ``--help`` lists them."""
    end_with_stage()
    SERTask.main(cmd=argv)


if __name__ == "__main__":
    run_main(main)
