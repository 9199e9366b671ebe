"""Files that are whole or not there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ABANDONED_SECONDS = 600
_PARTIAL = re.compile(r"\.[0-9a-f]{16}\.partial(\..+)?")


@contextmanager
def replacing(path: Path, *, keep_ending: bool = True) -> Iterator[Path]:
    """A temporary path, which becomes ``path`` when all went well and is on the disk.

    Args:
        path: The file to write; an existing one is replaced at once.
        keep_ending: Whether the temporary path has the same ending, by which some libraries tell
            what to write. Without it a file left behind by a killed process is never taken for one
            of its kind.

    Raises:
        OSError: The disk or folder refuses; nothing is left behind.
    """
    ending = ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix
    name = f".{os.urandom(8).hex()}.partial"
    partial = path.with_name(name + ending if keep_ending else name)
    try:
        yield partial
        with partial.open("r+b") as file:  # a renamed file that is not on the disk may be empty
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def remove_abandoned(folder: Path, now: float) -> None:
    """Remove temporary files of processes that were killed, as far as the folder lets.

    Others may be writing to the folder, so a file is taken for abandoned when nothing was written
    to it for ABANDONED_SECONDS.

    Args:
        folder: Where :func:`replacing` was used.
        now: Modification time of a file just written there: by the clock of the folder.
    """
    with suppress(OSError):
        for entry in os.scandir(folder):
            if not _PARTIAL.fullmatch(entry.name):
                continue
            with suppress(OSError):
                if now - entry.stat(follow_symlinks=False).st_mtime > ABANDONED_SECONDS:
                    os.unlink(entry)
