"""Columns and colours."""

import io

import pytest

from sermtl.terminal import columns, printable, style, width, writable


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_columns_are_aligned_by_what_is_seen():
    rows = [["a", "1", "x"], ["愛愛", "22", ""], ["e\u0301e", "333", "y"]]
    found = columns(rows, right=[1]).splitlines()
    assert found == [
        "a       1  x",
        "愛愛   22",
        "e\u0301e    333  y",
    ]
    assert width("e\u0301") == 1


def test_colours_are_for_terminals(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert style("x", "bold", Terminal()) == "\033[1mx\033[0m"
    assert style("x", "bold", io.StringIO()) == "x"


@pytest.mark.parametrize("variable", [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_unless_they_are_not_wanted(monkeypatch, variable):
    monkeypatch.setenv(*variable)
    assert style("x", "bold", Terminal()) == "x"


def test_names_are_shown_on_one_line():
    assert printable("a\nb\x1b[1m\u2028\udcff é 愛😀.wav") == r"a\nb\x1b[1m\u2028\udcff é 愛😀.wav"


def test_names_that_are_not_utf8_can_be_written():
    assert writable("caf\udce9 é\n") == "caf\\udce9 é\n"
