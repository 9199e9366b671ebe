"""Standard streams that may be closed or full: no mask is lost for a message nobody can read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO, cast


@contextmanager
def usable_streams() -> Iterator[None]:
    """Inside, printing to a closed stream does nothing, nor does one that fails to stderr.

    Numbers 0 to 2 of closed streams are taken, so that no output file gets one of them and then
    the messages of a C library. Failures to write to stdout are still raised: it is what was asked
    for.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    out, err = sys.stdout, sys.stderr
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        sys.stdout = out or nowhere
        sys.stderr = cast(TextIO, _BestEffort(err or nowhere))
        try:
            yield
        finally:
            sys.stdout, sys.stderr = out, err


class _BestEffort:
    """A text stream whose failures to write are passed over."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()
