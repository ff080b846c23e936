"""Monitors: no part of the experiment, and never quietly absent."""

import sys
import types

import pytest

from sermtl.errors import UserError
from sermtl.training.conf import tag
from sermtl.training.monitors import check, divide


def test_they_are_no_part_of_the_configuration():
    conf = {"max_epoch": 3, "use_wandb": True, "wandb_project": "x", "use_tensorboard": True}
    assert divide(conf) == (
        {"max_epoch": 3},
        {"use_wandb": True, "wandb_project": "x", "use_tensorboard": True},
    )


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ("--use_wandb true --wandb_project x", "train"),
        ("--max_epoch 3 --use_tensorboard false", "max_epoch_3"),
        ("--max_epoch 3", "max_epoch_3"),
        ("--max_epoch", "max_epoch"),  # refused later, by the option's name
    ],
)
def test_nor_of_the_name(arguments, name):
    assert tag([], arguments, None) == name


@pytest.fixture
def wandb(monkeypatch):
    module = types.ModuleType("wandb")
    module.login = lambda prompt: False
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return module


def test_who_is_not_logged_in_is_told(wandb, monkeypatch):
    with pytest.raises(UserError, match="not logged in"):
        check({"use_wandb": True})
    check({"use_wandb": False})
    check({})
    monkeypatch.setenv("WANDB_MODE", "offline")
    check({"use_wandb": True})
    monkeypatch.delenv("WANDB_MODE")
    wandb.login = lambda prompt: True
    check({"use_wandb": True})


def test_what_is_not_installed_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match="pip install wandb"):
        check({"use_wandb": True})
