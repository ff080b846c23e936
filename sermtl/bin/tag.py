"""Print the name of the experiment that a configuration makes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from sermtl.training.conf import tag


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the options that the name comes from."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train_config", default="", help="overlays, separated by spaces")
    parser.add_argument("--train_args", default="")
    parser.add_argument("--ssl_model", default="")
    args = parser.parse_args(argv)
    print(tag(args.train_config.split(), args.train_args, args.ssl_model))


if __name__ == "__main__":
    main()
