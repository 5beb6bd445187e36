"""Signals that end a process become exceptions, so that it leaves its files in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = ("SIGTERM", "SIGHUP")


class Terminated(SystemExit):
    """The process was asked to end (SIGTERM of a batch system, or a closed terminal)."""

    def __init__(self, number: int):
        # what a shell reports of a process that a signal ended
        super().__init__(128 + number)
        self.signal = signal.Signals(number).name


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Raise `Terminated` where SIGTERM or SIGHUP would end the process at once.

    Handlers of others are left alone, and so are threads, which signals do not reach.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number, frame):
        raise Terminated(number)

    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    ours = [n for n in numbers if signal.getsignal(n) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
