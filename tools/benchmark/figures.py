"""What a benchmark found: one line each, with the baseline beside it and what was aimed at.

Benchmarks print their figures and, with ``--figures FILE``, add them to a file. This command turns
such a file into a table:

    python tools/benchmark/figures.py FILE
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from sermtl.errors import run_main
from sermtl.markdown import table


@dataclass(frozen=True)
class Figure:
    """One measurement.

    Attributes:
        work: what was measured, with its sizes.
        baseline: measured in the same run, for ratios; empty for absolute values.
        value: median over repeats.
        unit: ``x`` for a ratio to the baseline, else ``s``, ``%``, ...
        low, high: least and greatest of the repeats.
        at_least, at_most: the aim.
    """

    work: str
    baseline: str
    value: float
    unit: str = "x"
    low: float | None = None
    high: float | None = None
    at_least: float | None = None
    at_most: float | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the aim was reached; None without one."""
        if self.at_least is None and self.at_most is None:
            return None
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )

    def cells(self) -> list[str]:
        """The line of the table."""
        spread = "" if self.low is None else f" [{self.low:.3g}, {self.high:.3g}]"
        aims = [f"≥ {self.at_least:g}"] if self.at_least is not None else []
        aims += [f"≤ {self.at_most:g}"] if self.at_most is not None else []
        aim = f"{' and '.join(aims)} {self.unit}" if aims else "–"
        verdict = {True: "reached", False: "missed", None: "–"}[self.reached]
        value = f"{self.value:.3g}{spread} {self.unit}"
        return [self.work, self.baseline or "–", value, aim, verdict]


def add_option(parser: argparse.ArgumentParser) -> None:
    """``--figures``, which every benchmark has."""
    parser.add_argument("--figures", type=_appendable, help="file to add the figures to")


def _appendable(word: str) -> Path:
    """Told before the measuring rather than after it."""
    try:
        with open(word, "a", encoding="utf-8"):
            return Path(word)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{word}: {error.strerror}") from error


def report(figures: Sequence[Figure], file: Path | None) -> None:
    """Print figures and add them to a file of JSON lines."""
    print(as_table(figures))
    if file is not None:
        with open(file, "a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(asdict(figure)) + "\n" for figure in figures)


def as_table(figures: Sequence[Figure]) -> str:
    """A Markdown table."""
    header = ["work", "baseline in the same run", "measured", "aim", ""]
    return table(header, [figure.cells() for figure in figures])


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and greatest, as `Figure` takes them."""
    return {"value": statistics.median(values), "low": min(values), "high": max(values)}


def in_turn(
    works: dict[str, Callable[[], object]], repeats: int, wait: Callable[[], object] = lambda: None
) -> dict[str, list[float]]:
    """Seconds of each work, run in turn so that what slows the machine down slows them all.

    Args:
        works: by name; the first round warms up and isn't counted.
        repeats: counted rounds.
        wait: until a device has finished.
    """
    taken: dict[str, list[float]] = {name: [] for name in works}
    for repeat in range(repeats + 1):
        for name, work in works.items():
            wait()
            begun = perf_counter()
            work()
            wait()
            if repeat:
                taken[name].append(perf_counter() - begun)
    return taken


def waiting_for(device: str) -> Callable[[], object]:
    """What `in_turn` waits with: a GPU takes orders long before it has carried them out."""
    if device == "cpu":
        return lambda: None
    import torch

    return torch.cuda.synchronize


def machine(device: str = "cpu") -> str:
    """What was measured on."""
    import torch

    if device != "cpu":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    return f"{model}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def main() -> None:
    """Show a file of figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    args = parser.parse_args()
    lines = args.file.read_text(encoding="utf-8").splitlines()
    print(as_table([Figure(**json.loads(line)) for line in lines]))


if __name__ == "__main__":
    run_main(main)
