"""Cases of a folder that its owner lets the page open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from predict.errors import UsageError
from serve.errors import RefusalError
from serve.files import suffix_of

_EXTRA = (".mhd", ".nhdr")
_DEPTH = 6


class Library:
    """A folder; nothing outside of it can be listed or opened, whatever names or links say."""

    def __init__(self, folder: Path) -> None:
        """Serve the cases of a folder.

        Raises:
            UsageError: No such folder.
        """
        if not folder.is_dir():
            raise UsageError(f"--folder {folder}: expected a folder")
        self.folder = folder.resolve()

    def cases(self, limit: int) -> tuple[list[str], bool]:
        """Paths relative to the folder, sorted, and whether these are all."""
        found: list[str] = []
        for path in self._walk(self.folder, _DEPTH):
            if len(found) == limit:
                return sorted(found), False
            found.append(path.relative_to(self.folder).as_posix())
        return sorted(found), True

    def find(self, case: str) -> Path:
        """The file or DICOM folder of a case.

        Raises:
            RefusalError: 404, not a case of this folder.
        """
        refusal = RefusalError(404, "case: expected one of those listed")
        if "\0" in case or "\\" in case or len(case.encode(errors="replace")) > 4096:
            raise refusal
        try:
            path = (self.folder / case).resolve(strict=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise refusal from error
        if not path.is_relative_to(self.folder) or path == self.folder:
            raise refusal
        if path.is_dir():
            inside = all(Path(e).resolve().is_relative_to(self.folder) for e in os.scandir(path))
            good = inside and _is_dicom_folder(path)
        else:
            good = _is_case(path)
        if not good:
            raise refusal
        return path

    def _walk(self, folder: Path, depth: int) -> Iterator[Path]:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            return
        for entry in entries:
            path = Path(entry.path)
            if entry.name.startswith(".") or not path.resolve().is_relative_to(self.folder):
                continue
            if entry.is_dir(follow_symlinks=False):
                if _is_dicom_folder(path):
                    yield path
                elif depth:
                    yield from self._walk(path, depth - 1)
            elif entry.is_file() and _is_case(path):
                yield path


def _is_case(path: Path) -> bool:
    return path.is_file() and (suffix_of(path.name) is not None or path.suffix.lower() in _EXTRA)


def _is_dicom_folder(path: Path) -> bool:
    try:
        return any(entry.name.lower().endswith(".dcm") for entry in os.scandir(path))
    except OSError:
        return False
