"""Waiting that a signal ends."""

from __future__ import annotations

import os
import select
import signal
from types import FrameType


class SignalWatch:
    """While open, SIGINT, SIGTERM and SIGHUP are noted in ``received`` instead of acting.

    The program asks between its steps, so none of them is interrupted half-way (a job that was
    started but not yet noted could not be stopped). SIGCHLD ends a wait as well.
    """

    def __init__(self) -> None:
        self.received: int | None = None

    def __enter__(self) -> SignalWatch:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        stopping = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup must keep its meaning
            stopping.append(signal.SIGHUP)
        self._previous = {number: signal.signal(number, self._note) for number in stopping}
        self._previous[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._read)
        os.close(self._write)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.received = number

    def wait(self, seconds: float | None = None) -> None:
        """Sleep until a signal came (since the last wait) or ``seconds`` have passed."""
        ready, _, _ = select.select([self._read], [], [], seconds)
        if ready:
            os.read(self._read, 4096)
