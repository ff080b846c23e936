"""The modules beside run.pl are found as they are when it runs: in its own folder."""

from __future__ import annotations

import sys
from pathlib import Path

UTILS = Path(__file__).resolve().parents[2] / "utils"
sys.path.insert(0, str(UTILS))
