"""Print the name of the experiment that a configuration makes, or check one that is given."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

from sermtl.errors import UserError, run_main
from sermtl.training.conf import tag

NAME = re.compile(r"\w[\w.=+-]*")
TAKEN = "stats"  # how the folders of stage 4 begin, which are beside the experiments'


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the options that the name comes from."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", default="", help="the name that the user gives")
    parser.add_argument("--train_config", default="", help="overlays, separated by spaces")
    parser.add_argument("--train_args", default="")
    parser.add_argument("--ssl_model", default="")
    args = parser.parse_args(argv)
    name = args.tag or tag(args.train_config.split(), args.train_args, args.ssl_model)
    if not NAME.fullmatch(name) or name.startswith(TAKEN):
        raise UserError(
            f"--train_tag {name!r}: a folder's name of letters, digits and ._=+- is needed, which "
            f"doesn't begin with {TAKEN!r}"
        )
    print(name)


if __name__ == "__main__":
    run_main(main)
