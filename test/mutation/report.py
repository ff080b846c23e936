"""What became of the mutants: a table by module, and the survivors that nobody has explained.

``survivors.yaml`` has the explained ones, by module: ``function``, the ``line`` of code that is
changed, the ``mutants`` of it that survive (what takes the line's place), and ``why`` they may. Two
kinds need no entry, see `harmless`. Run it in the folder where mutmut ran.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import yaml
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files
from mutmut.utils.format_utils import orig_function_and_class_names_from_key

COLUMNS = ("mutants", "killed", "timed out", "explained", "survived", "not tried")
OUTCOMES = {"timeout": "timed out", "not checked": "not tried"}
SURVIVED = ("survived", "no tests")

Change = tuple[str, str, str, str]
"""Module, function, line and what takes its place."""


def explained(file: Path) -> set[Change]:
    """The survivors that may survive."""
    return {
        (module, entry["function"], entry["line"], mutant)
        for module, entries in yaml.safe_load(file.read_text()).items()
        for entry in entries
        for mutant in entry["mutants"]
    }


def harmless(changed: Change) -> bool:
    """Whether it changes only what no test on a CPU needs to notice.

    That is a message's wording; a device, CPUs being all alike (``test/gpu`` has others);
    ``strict=True``, which guards against mistakes that the code doesn't make; ``False`` to
    ``None``; the case of letters that name the dimensions of `einsum`, or spell infinity.
    """
    _, _, before, after = changed
    spelt = re.search('"[^"]* [^"]* [^"]*"|einsum|inf"', before)
    if spelt and after.replace("XX", "").lower() == before.lower():
        return True
    option = re.compile(r"(device|strict|non_blocking)=[\w.]+|(?<=\.to\()(device|None)|[\s,]")
    if option.sub("", before) == option.sub("", after):
        return True
    return after.replace("=None", "=False") == before


def change(path: Path, name: str) -> Change:
    """What a mutant changes."""
    function, of = orig_function_and_class_names_from_key(name)
    lines = get_diff_for_mutant(name, path=path).splitlines()[3:]
    before, after = (
        " ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+"
    )
    return str(path), f"{of}.{function}" if of else function, before, after


def survivors(data: SourceFileMutationData) -> Iterator[Change]:
    """The changes to a module that no test has noticed."""
    for name, code in data.exit_code_by_key.items():
        if status_by_exit_code[code] in SURVIVED:
            yield change(data.path, name)


def main() -> None:
    """Print the table and the survivors; fail if there are any, or explanations of none."""
    complete: set[str] = set()
    known, found, total = explained(Path(__file__).with_name("survivors.yaml")), set(), Counter()
    print(f"{'':36}" + "".join(f"{column:>11}" for column in COLUMNS))
    for path in sorted(walk_mutatable_files()):
        data = SourceFileMutationData(path=path)
        data.load()
        counts = Counter()
        for code in data.exit_code_by_key.values():
            outcome = status_by_exit_code[code]
            counts[OUTCOMES.get(outcome, "killed")] += outcome not in SURVIVED
        alive = list(survivors(data))
        known |= set(filter(harmless, alive))
        counts["mutants"] = len(data.exit_code_by_key)
        counts["explained"] = sum(one in known for one in alive)
        counts["survived"] = len(alive) - counts["explained"]
        total += counts
        found |= set(alive)
        complete |= set() if counts["not tried"] else {str(path)}
        if counts["mutants"]:
            print(f"{path!s:36}" + "".join(f"{counts[column]:11}" for column in COLUMNS))
    print(f"{'all':36}" + "".join(f"{total[column]:11}" for column in COLUMNS))
    stale = {one for one in known - found if one[0] in complete}
    for title, changes in (("survived", found - known), ("no longer survives", stale)):
        for module, function, before, after in sorted(changes):
            print(f"\n{title}: {module}: {function}\n  - {before}\n  + {after}")
    sys.exit(bool(found - known or stale))


if __name__ == "__main__":
    main()
