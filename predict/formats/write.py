"""Write a mask in the kind of file that its image came from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from predict.volumes import Volume

Colour = tuple[int, int, int]


def write_mask(
    labels: np.ndarray,
    volume: Volume,
    path: Path,
    names: Mapping[int, str],
    colours: Mapping[int, Colour],
) -> tuple[Path, ...]:
    """Write a mask with the geometry of its image; nothing half-written is ever seen.

    The ending of the path decides the format: .nii, .nii.gz, .nrrd, .mha, .mhd, .tif, .tiff, .npz
    or, for an image that came as DICOM, .dcm (DICOM-SEG).

    Args:
        labels: Shape of ``volume.array``, in the order of the file (see
            `predict.orientation.from_canonical`); 0 is background.
        volume: The image, as `read_volume` gave it.
        path: Where to; an existing file is replaced.
        names: Name of each id; also of those that were not found.
        colours: RGB 0..255 of each id.

    Returns:
        The files written: the mask, then the JSON of names and colours if the format has no room
        for them.

    Raises:
        UsageError: An unknown ending, labels of another shape, or a missing library.
        CaseError: The format cannot hold this geometry.
        OSError: The disk or folder refuses; nothing is left behind.
    """
    raise NotImplementedError


def mask_name(source: Path, volume: Volume, ending: str | None = None) -> str:
    """File name of the mask of an image: its name without the ending, ``_mask``, an ending.

    Args:
        source: What `read_volume` was given.
        volume: What it returned.
        ending: ``nii.gz``, ``nrrd``, ... (a leading dot is fine); None for the kind of the source.
    """
    raise NotImplementedError
