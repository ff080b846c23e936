"""How long commands take until they can begin: fresh processes, in turn with an idle Python.

. tools/path.sh
python tools/benchmark/startup.py [--repeats 9]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from functools import partial

from figures import Figure, add_option, in_turn, report, spread

from sermtl.errors import run_main
from sermtl.options import positive_int

WORKS = {  # and at most how many seconds
    "python -c pass": (["-c", "pass"], None),
    "import sermtl": (["-c", "import sermtl"], 0.3),
    "sermtl --help": (["-m", "sermtl.cli", "--help"], 0.5),
    "stage 1 --help": (["-m", "sermtl.bin.prepare", "--help"], None),
    "stage 3 --help": (["-m", "sermtl.bin.tokenize", "--help"], None),
    "stage 4 --help": (["-m", "sermtl.bin.stats", "--help"], None),
    "stage 6 --help": (["-m", "sermtl.bin.infer", "--help"], None),
    "stage 7 --help": (["-m", "sermtl.bin.score", "--help"], None),
}


def main() -> None:
    """Start each command several times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=positive_int, default=9)
    add_option(parser)
    args = parser.parse_args()

    taken = in_turn(
        {
            name: partial(
                subprocess.run, [sys.executable, *words], stdout=subprocess.DEVNULL, check=True
            )
            for name, (words, _) in WORKS.items()
        },
        args.repeats,
    )
    report(
        [
            Figure(name, "", **spread(taken[name]), unit="s", at_most=aim)
            for name, (_, aim) in WORKS.items()
        ],
        args.figures,
    )


if __name__ == "__main__":
    run_main(main)
