"""``python -m sermtl.cli``."""

from sermtl.cli import main

main()
