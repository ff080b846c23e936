"""Stage 8: pack a trained model as a Hub folder and an archive."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sermtl.errors import UserError, run_main
from sermtl.packing import pack
from sermtl.training import FINAL_WEIGHTS

CARD = """---
library_name: sermtl
pipeline_tag: audio-classification
---
# {name}

Speech emotion recognition with multi-task learning, trained with sermtl.

```python
from sermtl import EmotionRecognizer
recognizer = EmotionRecognizer.from_pretrained("{name}.zip")
print(recognizer("speech.wav").emotion)
```

What the model says is a guess about how speech sounds, not about what a person feels; don't decide
about people with it.

{results}
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Pack one experiment, or one fold of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--expdir", type=Path, required=True, help="exp/<tag>")
    parser.add_argument("--fold", default="", help="which fold's model, where there are folds")
    parser.add_argument("--name", required=True, help="of the folder and the archive")
    args = parser.parse_args(argv)
    if args.fold == "all":
        raise UserError("each fold has a model of its own: say which to pack, e.g. --fold 1")
    experiment = args.expdir / (f"fold{args.fold}" if args.fold else "")
    results = args.expdir / "RESULTS.md"
    card = CARD.format(
        name=args.name,
        results=results.read_text(encoding="utf-8") if results.exists() else "Not scored yet.",
    )
    target = args.expdir / args.name
    archive = pack(experiment, FINAL_WEIGHTS, target, card)
    print(f"{target}/ and {archive} written")


if __name__ == "__main__":
    run_main(main)
