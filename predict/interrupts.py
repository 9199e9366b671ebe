"""Signals that ask a command to end, as one interrupt that leaves nothing half written."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)


class Interrupts:
    """Inside, the first SIGINT, SIGTERM or SIGHUP raises KeyboardInterrupt in the main thread.

    Later ones are ignored, so that what cleans up after the first is not interrupted itself. A
    signal that the caller ignores or handles stays as it is, and so do all in other threads.
    """

    def __init__(self) -> None:
        self._received: int = signal.SIGINT
        self._before: dict[int, Any] = {}
        self._raised = False

    @property
    def status(self) -> int:
        """Exit status of an interrupted command: 130, or what stands for the other signals."""
        return 128 + self._received

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in ENDINGS:
                before = signal.getsignal(number)
                if before in DEFAULTS:
                    self._before[number] = before
                    signal.signal(number, self._receive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _receive(self, number: int, _: FrameType | None) -> None:
        if not self._raised:
            self._raised = True
            self._received = number
            raise KeyboardInterrupt


def interruptible(work: Callable[[], int]) -> int:
    """Exit status of ``work``, or that of an interrupted command where it was interrupted."""
    with Interrupts() as interrupts:
        try:
            return work()
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return interrupts.status
