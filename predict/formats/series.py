"""A DICOM series as a person chooses it from a list."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Series:
    """Slices that belong to one stack.

    Attributes:
        uid: SeriesInstanceUID.
        modality: As DICOM writes it (``CT``, ``MR``, ``PT``, ...).
        description: SeriesDescription, or an empty text.
        slices: How many.
        files: Their files, unsorted.
    """

    uid: str
    modality: str
    description: str
    slices: int
    files: tuple[Path, ...]

    def __str__(self) -> str:
        return f"{self.slices} slices, {self.modality}, {self.description or 'no description'}"
