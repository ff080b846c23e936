import argparse

import pytest

from sermtl.errors import UserError
from sermtl.options import name_part, natural, options_of, positive_int, share


class Target:
    def __init__(self, rate: float = 1.0, size: int = 2) -> None:
        if size < 1:
            raise ValueError(f"size {size} is too small")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"raet": 2}, "conf: there is no 'raet'; did you mean rate?"),
        ({"colour": 2}, "conf: there is no 'colour'; there are rate, size"),
        ({"size": 0}, "conf: size 0 is too small"),
        ({"size": "x"}, "conf: .*not supported"),
    ],
)
def test_the_configuration_and_the_option_are_named(options, message):
    with pytest.raises(UserError, match=message), options_of("conf", Target, options):
        Target(**options)


def test_right_options_pass():
    with options_of("conf", Target, {"rate": 2.0}):
        assert Target(rate=2.0)


def test_zero_is_not_positive():
    assert positive_int("3") == 3
    with pytest.raises(argparse.ArgumentTypeError, match="0 is not positive"):
        positive_int("0")


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (natural, {"0": 0, "7": 7}, ["-1"]),
        (share, {"0": 0.0, "1": 1.0, ".5": 0.5}, ["-0.1", "1.01", "nan", "inf"]),
        (name_part, {"": "", "a.b_c=+-1": "a.b_c=+-1", "é": "é"}, ["/", "a b", "a\n", "$x"]),
    ],
)
def test_kinds_of_values(kind, good, bad):
    assert {word: kind(word) for word in good} == good
    for word in bad:
        with pytest.raises(argparse.ArgumentTypeError):
            kind(word)
