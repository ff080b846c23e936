"""Options of a configuration: errors that name them, and what several of them may be."""

from __future__ import annotations

import argparse
import difflib
import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sermtl.errors import UserError

DTYPES = ("float32", "bfloat16")  # that models compute in; fp16 would need its gradients scaled


def positive_int(word: str) -> int:
    """An option's value, for argparse: a whole number from 1 on."""
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word} is not positive")
    return number


def natural(word: str) -> int:
    """An option's value, for argparse: a whole number from 0 on."""
    number = int(word)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{word} is negative")
    return number


def share(word: str) -> float:
    """An option's value, for argparse: a number from 0 to 1."""
    number = float(word)
    if not 0 <= number <= 1:  # nor NaN, with which everything compares as false
        raise argparse.ArgumentTypeError(f"{word} is not between 0 and 1")
    return number


def name_part(word: str) -> str:
    """An option's value, for argparse: what is put into the name of a folder, or nothing."""
    if not re.fullmatch(r"[\w.=+-]*", word):
        raise argparse.ArgumentTypeError(f"{word!r} has more than letters, digits and ._=+-")
    return word


@contextmanager
def options_of(name: str, target: type, options: Mapping[str, Any]) -> Iterator[None]:
    """Around a call of ``target`` with ``options``, which the configuration has under ``name``.

    Raises:
        UserError: for options that ``target`` doesn't have, and values that it refuses.
    """
    known = list(inspect.signature(target).parameters)
    for option in options:
        if option not in known:
            close = difflib.get_close_matches(option, known, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
            raise UserError(f"{name}: there is no {option!r}; {hint}")
    from typeguard import TypeCheckError  # here: light stages would wait for it

    try:
        yield
    except (TypeError, ValueError, TypeCheckError) as error:
        raise UserError(f"{name}: {error}") from error
