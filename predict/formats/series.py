"""A DICOM series as a person chooses it from a list."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Series:
    """Slices that belong to one stack.

    Attributes:
        uid: SeriesInstanceUID. A series whose slices differ in size or orientation (a scout in
            front of the stack) is listed once for each of them.
        modality: As DICOM writes it (``CT``, ``MR``, ``PT``, ...).
        description: SeriesDescription, or an empty text.
        slices: How many.
    """

    uid: str
    modality: str
    description: str
    slices: int

    def __str__(self) -> str:
        return f"{self.slices} slices, {self.modality}, {self.description or 'no description'}"
