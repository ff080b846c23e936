"""``sermtl info``: what a model is."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sermtl.cli.options import MODEL
from sermtl.documents import read_json
from sermtl.errors import UserError
from sermtl.model_config import read_model_config
from sermtl.terminal import columns, printable, style

BAR = 30  # characters of the largest layer weight


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the subcommand."""
    text = "what a model is: tasks, labels, training data, scores, layer weights"
    parser = commands.add_parser("info", help=text, description=f"Tell {text}.")
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument("--revision", help="branch, tag or commit on the hub")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print what the model's folder tells."""
    from sermtl.packing import LAYERS, RESULTS, unpacked

    with unpacked(args.model, args.revision) as folder:
        facts = read(folder)
    if args.json:
        print(json.dumps(facts, indent=1, ensure_ascii=False))
        return
    try:
        lines = list(_lines(_printable(facts)))
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{args.model}: {RESULTS}, {LAYERS} or its configuration isn't one of sermtl's "
            f"({type(error).__name__}: {error})"
        ) from error
    print("\n".join(lines))


def read(folder: Path) -> dict[str, Any]:
    """Of an experiment or a packed model.

    Returns:
        ``encoder tasks emotions (label -> name) counts genders speakers seconds layer_mixing
        layer_weights results``; what isn't known is absent.

    Raises:
        UserError: if there is neither.
    """
    from sermtl.packing import CONFIG, LAYERS, RESULTS, packed_config

    if (folder / CONFIG).exists():
        config = read_model_config(folder / CONFIG)
    elif (folder / "config.yaml").exists():
        config = packed_config(folder)
    else:
        raise UserError(f"{folder}: neither an experiment (exp/<tag>[/fold<K>]) nor a packed model")
    labels = config["labels"]
    architecture = config["frontend_conf"]["model"]
    facts = {
        "encoder": config.get("encoder"),
        "architecture": {
            "type": architecture.get("model_type"),
            "layers": architecture.get("num_hidden_layers") or architecture.get("encoder_layers"),
            "width": architecture.get("hidden_size") or architecture.get("d_model"),
        },
        "tasks": ["emotion", *(t for t in config["model_conf"]["tasks"] if labels["tasks"][t])],
        "emotions": labels.get("names", {label: label for label in labels["emotions"]}),
        "counts": labels["counts"]["emotion"],
        "genders": labels["genders"],
        "speakers": len(labels["speakers"]),
        "utterances": labels["tasks"],
        "seconds": labels.get("seconds", 0),
        "layer_mixing": config["model_conf"].get("layer_mixing", "learnable"),
    }
    for key, file in (("layer_weights", LAYERS), ("results", RESULTS)):
        if (folder / file).exists():
            content = read_json(folder / file, "make it again (stage 6 or 7), or remove it")
            wanted = "weights" if key == "layer_weights" else None
            if not isinstance(content, dict) or (wanted and wanted not in content):
                raise UserError(f"{folder / file}: damaged: make it again (stage 6 or 7)")
            facts[key] = content[wanted] if wanted else content
    return facts


def _printable(value: Any) -> Any:
    """The same without characters that a terminal takes for commands."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [_printable(item) for item in value]
    if isinstance(value, dict):
        return {_printable(key): _printable(item) for key, item in value.items()}
    return value


def _lines(facts: Mapping[str, Any]) -> Iterator[str]:
    shape = facts["architecture"]
    scratch = facts["encoder"] or "trained from scratch"
    yield style("Model", "bold")
    yield f"  encoder   {scratch} ({shape['type']}, {shape['layers']} layers of {shape['width']})"
    yield f"  tasks     {', '.join(facts['tasks'])}"
    yield ""
    yield style("Training data", "bold")
    yield f"  {facts['seconds'] / 3600:.2f} hours, {facts['speakers']} speakers"
    counted = [f"{n} with {task}" for task, n in facts["utterances"].items() if n]
    yield f"  utterances: {', '.join(counted)}"
    rows = [[label, name, facts["counts"][label]] for label, name in facts["emotions"].items()]
    yield from _indented(columns(rows, right=[2]))
    if weights := facts.get("layer_weights"):
        yield ""
        yield style(f"Layer weights ({facts['layer_mixing']})", "bold")
        for layer, weight in enumerate(weights):
            yield f"  {layer:>3}  {weight:.3f}  {'█' * round(BAR * weight / max(weights))}"
    yield ""
    yield style("Scores", "bold")
    if results := facts.get("results"):
        from sermtl.scoring.tables import summary

        yield from _indented(summary(results))
    else:
        yield "  none: not scored (stage 7)"


def _indented(text: str) -> Iterator[str]:
    return (f"  {line}" for line in text.splitlines())
