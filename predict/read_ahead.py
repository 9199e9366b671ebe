"""Work of the start that needs no torch, done while torch is being imported."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from predict.bundle_files import BundleFiles, verify_files
from predict.cases import Case
from predict.free_memory import free_memory
from predict.npz import read_case, reading_bytes


class CaseReader(Protocol):
    """What reads a case: :func:`predict.npz.read_case`, or a read-ahead."""

    def __call__(self, path: Path, *, max_bytes: int | None = None) -> Case:
        """See :func:`predict.npz.read_case`."""


def fits_beside(source: Path) -> bool:
    """Whether a case may be read while something else takes memory."""
    return reading_bytes(source) <= free_memory().bytes // 2


class ReadAhead:
    """Verifies a bundle and reads a case in threads of its own, from when it is made.

    Both spend their time in reading, hashing and inflating, which leave the interpreter to others.
    """

    def __init__(self, bundle: Path, case: Path | None) -> None:
        """Start.

        Args:
            bundle: Folder of the bundle.
            case: The npz that will be asked for first; None to read none, nor one too large.
        """
        pool = ThreadPoolExecutor(2, "read-ahead")
        self._files = pool.submit(verify_files, bundle)
        self._cases: dict[Path, Future[Case]] = {}
        if case is not None and fits_beside(case):
            self._cases[case] = pool.submit(read_case, case)
        pool.shutdown(wait=False)

    def bundle_files(self) -> BundleFiles:
        """The verified files, as of :func:`predict.bundle_files.verify_files`."""
        return self._files.result()

    def read_case(self, path: Path, *, max_bytes: int | None = None) -> Case:
        """Case, as of :func:`predict.npz.read_case`; one that was read ahead is handed out once."""
        ahead = self._cases.pop(path, None)
        return read_case(path, max_bytes=max_bytes) if ahead is None else ahead.result()


@contextmanager
def no_collection() -> Iterator[None]:
    """For imports, which make many objects and no garbage: none is searched for then or later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
