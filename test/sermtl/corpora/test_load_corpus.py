import importlib
import inspect
import re

import pytest

from sermtl.corpora import load_corpus
from sermtl.errors import UserError


@pytest.mark.parametrize(
    ("recipe", "options", "message"),
    [
        ("nowhere", {}, "no corpus module for the recipe 'nowhere'"),
        ("manifest", {}, "no corpus module for the recipe 'manifest'"),
        ("ravdess", {"root": "x"}, "ravdess has no option root; it has: ravdess_root"),
        ("ravdess", {}, "the recipe ravdess needs --ravdess_root"),
        ("custom", {"manifest": "", "split_seed": "0"}, "the recipe custom needs --manifest"),
    ],
)
def test_errors(recipe, options, message, tmp_path):
    with pytest.raises(UserError, match=message):
        load_corpus(recipe, None, tmp_path, options)


@pytest.mark.parametrize("recipe", ["ravdess", "custom"])
def test_recipe_conf_declares_what_the_module_takes(root, recipe):
    assigned = re.compile(r"^([a-z_]+)=", re.MULTILINE)
    declared = assigned.findall((root / "egs" / recipe / "recipe.conf").read_text())
    common = assigned.findall((root / "run.sh").read_text())
    module = importlib.import_module(f"sermtl.corpora.{recipe}")
    taken = list(inspect.signature(module.load).parameters)[2:]
    assert [name for name in declared if name not in common] == taken
