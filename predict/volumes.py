"""What a medical image file holds, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Volume:
    """A 3D image with its place in the patient.

    Attributes:
        array: (D, H, W), axes (z, y, x) of the file's grid, intensities as stored (CT: Hounsfield).
        spacing: (x, y, z) mm; 1 where a file does not tell.
        origin: (x, y, z) mm of the first voxel's centre, in LPS patient coordinates.
        direction: Nine cosines, row by row, as of SimpleITK: column j is the direction of
            grid axis j (x, y, z) in LPS.
        kind: Format family: ``nifti``, ``nrrd``, ``mha``, ``dicom``, ``tiff`` or ``npz``.
        modality: ``CT``, ``MR``, ``PET``, ``US``, ``Microscopy``, or None where the file
            does not say.
        oriented: Whether the direction means something (a TIFF has no patient).
        extra: What the format's writer needs to make a file of the same kind.
    """

    array: np.ndarray
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    kind: str = "nifti"
    modality: str | None = None
    oriented: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)
