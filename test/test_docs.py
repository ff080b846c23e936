"""What the READMEs point at is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md")]
PAGES += sorted(ROOT.glob("egs/*/README.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_every_recipe_is_whole_and_listed():
    listed = (ROOT / "README.md").read_text(encoding="utf-8")
    recipes = [path.parent for path in sorted(ROOT.glob("egs/*/recipe.conf"))]
    assert len(recipes) == 13
    for recipe in recipes:
        assert f"[{recipe.name}](egs/{recipe.name}/README.md)" in listed
        assert (recipe / "run.sh").resolve() == ROOT / "egs" / "run.sh"
        assert (ROOT / "sermtl" / "corpora" / f"{recipe.name}.py").exists()


def test_commands_name_options_that_exist():
    """Options of run.sh in the pages' commands are run.sh's or a recipe's."""
    known = {"help", "recipe", "config"}
    for conf in (ROOT / "run.sh", *ROOT.glob("egs/*/recipe.conf")):
        known |= set(re.findall(r"^([a-z][a-z0-9_]*)=", conf.read_text(encoding="utf-8"), re.M))
    known.add("emovo_root")  # of the corpus that docs/extending.md adds
    for page in PAGES:
        for block in re.findall(r"```sh[^\n]*\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
            for line in block.replace("\\\n", " ").splitlines():
                if re.match(r"(\./|egs/\w+/)run\.sh", line):
                    words = re.sub(r'"[^"]*"', '""', line.partition("#")[0])
                    assert set(re.findall(r" --(\w+)", words)) <= known, line
