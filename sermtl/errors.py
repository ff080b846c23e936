"""Errors that are the user's to mend, shown without a traceback."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from collections.abc import Callable

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class UserError(Exception):
    """Wrong input or options. The message names the file, line or utterance and what to do."""


def first_line(error: Exception) -> str:
    """What another library's error says first: the rest is traces and advice of its own."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def excerpt(text: str, length: int = 200) -> str:
    """A text for a message: only its beginning where it is long."""
    return text if len(text) <= length else f"{text[:length]}…"


def full_disk(error: BaseException | None) -> OSError | None:
    """That a disk or a quota is full, if this is behind an error, however a library put it."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return error
        if os.strerror(errno.ENOSPC) in str(error):
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        error = error.__cause__ or error.__context__
    return None


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
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal may have fewer characters than names
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        main()
        sys.stdout.flush()  # here rather than at exit, where a closed pipe couldn't be caught
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output, `head` say, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        if (full := full_disk(error)) is not None:
            name = f"{full.filename}: " if full.filename else ""
            advice = "make room, then run the same command again to continue"
            print(f"error: {name}{full.strerror}: {advice}", file=sys.stderr)
        elif isinstance(error, OSError) and error.filename is not None:  # can't be written, say
            print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        else:
            raise
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to continue", file=sys.stderr)
        sys.exit(130)
