"""The folder that a command writes to."""

from __future__ import annotations

import os
from pathlib import Path

from predict.atomic import remove_abandoned
from predict.errors import UsageError


def make_output_folder(folder: Path) -> None:
    """Make a folder, try whether it can be written, remove what killed processes left there.

    Raises:
        UsageError: It cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".write-test-{os.urandom(8).hex()}"
        probe.touch()
        remove_abandoned(folder, probe.stat().st_mtime)
        probe.unlink()
    except OSError as error:
        raise UsageError(f"output folder {folder}: not writable ({error.strerror})") from error
