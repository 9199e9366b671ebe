"""How often work on a case was begun, so that one which kills its workers is given up."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

FOLDER = ".attempts"


def begin_attempt(outputs: Path, name: str) -> int:
    """Note that this process begins a case, and return how often that has happened.

    The note is a line with machine and process in ``OUTPUTS/.attempts/NAME``. It stays where the
    process dies, and counts on the next attempt.

    Raises:
        OSError: The folder cannot be written.
    """
    folder = outputs / FOLDER
    folder.mkdir(exist_ok=True)
    with (folder / name).open("a+", encoding="utf-8") as file:
        file.write(f"{socket.gethostname()} {os.getpid()}\n")
        file.seek(0)
        return len(file.readlines())


def end_attempt(outputs: Path, name: str) -> None:
    """Drop the notes on a case: it is finished."""
    (outputs / FOLDER / name).unlink(missing_ok=True)


def forget_attempts(outputs: Path) -> None:
    """Drop all notes: they count within one job only."""
    shutil.rmtree(outputs / FOLDER, ignore_errors=True)
