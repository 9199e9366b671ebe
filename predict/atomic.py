"""Files that are whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path with the same ending, which becomes ``path`` when all went well.

    Raises:
        OSError: The disk or folder refuses; nothing is left behind.
    """
    ending = ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix
    partial = path.with_name(f".{os.urandom(8).hex()}.partial{ending}")
    try:
        yield partial
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise
