"""Errors that are the user's to mend, shown without a traceback."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable


class UserError(Exception):
    """Wrong input or options. The message names the file, line or utterance and what to do."""


def first_line(error: Exception) -> str:
    """What another library's error says first: the rest is traces and advice of its own."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def excerpt(text: str, length: int = 200) -> str:
    """A text for a message: only its beginning where it is long."""
    return text if len(text) <= length else f"{text[:length]}…"


def run_main(main: Callable[[], object]) -> None:
    """Run a command's ``main``; a `UserError` becomes one line on stderr and exit status 1.

    A plain ``kill``, or the end of its terminal, ends it like an exception does, so that jobs it
    started are stopped, too.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # which is nohup's doing
        signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))  # the terminal has gone
    # What bash starts in the background would ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main()
        sys.stdout.flush()  # here rather than at exit, where a closed pipe couldn't be caught
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output, `head` say, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:  # a folder that can't be written, a full disk
        if error.filename is None:
            raise
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to continue", file=sys.stderr)
        sys.exit(130)
