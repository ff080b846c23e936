"""Does this interpreter's environment serve? Reads versions from metadata; imports nothing heavy.

usage: python check_environment.py <requirements.lock>

Prints the versions that matter and exits 0, or prints what is missing or unfit and exits 1.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, version

PYTHONS = ((3, 10), (3, 12))  # first and last
EXACT = {"espnet": "202511"}
LEAST = {"torch": (2, 4), "transformers": (5,), "numpy": (2,)}  # setup.py says the same
SHOWN = ("torch", "espnet", "transformers", "numpy")
SHOWN_COMPLAINTS = 4
GROUP = "# --- "
NEEDED_GROUPS = 2  # those of ESPnet and of sermtl; the rest is extras and indirect


def needed_packages(lock: str) -> list[str]:
    """Names in the first groups of the lock file's text."""
    needed = "".join(lock.split(GROUP)[1 : 1 + NEEDED_GROUPS])
    return re.findall(r"^(?:#no-deps )?([\w.-]+)==", needed, re.MULTILINE)


def complaints(packages: list[str]) -> list[str]:
    """What is wrong with this environment; empty when it serves."""
    found = []
    if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        found.append(f"Python {sys.version_info[0]}.{sys.version_info[1]}")
    for package in packages:
        try:
            present = version(package)
        except PackageNotFoundError:
            found.append(f"no {package}")
            continue
        numbers = tuple(int(number) for number in re.findall(r"\d+", present.split("+")[0]))
        if present != EXACT.get(package, present) or numbers < LEAST.get(package, ()):
            found.append(f"{package} {present}")
    return found


def main() -> int:
    """Exit status."""
    with open(sys.argv[1], encoding="utf-8") as stream:
        wrong = complaints(needed_packages(stream.read()))
    if wrong:
        more = len(wrong) - SHOWN_COMPLAINTS
        print(", ".join(wrong[:SHOWN_COMPLAINTS]) + (f" and {more} more" if more > 0 else ""))
        return 1
    python = ".".join(str(number) for number in sys.version_info[:3])
    print(f"Python {python}, " + ", ".join(f"{name} {version(name)}" for name in SHOWN))
    return 0


if __name__ == "__main__":
    sys.exit(main())
