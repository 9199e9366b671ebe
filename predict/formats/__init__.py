"""Medical image files: any of them becomes a Volume, a mask goes back in the same kind.

    volume = read_volume(Path("scan.nii.gz"))
    write_mask(labels, volume, Path("scan_mask.nii.gz"), {1: "liver"}, {1: (220, 60, 40)})

The libraries behind a format are imported when a file of that format is met, not before.
"""

from __future__ import annotations

from predict.formats.read import is_image, list_series, read_volume
from predict.formats.series import Series
from predict.formats.write import Colour, mask_name, write_mask

__all__ = [
    "Colour",
    "Series",
    "is_image",
    "list_series",
    "mask_name",
    "read_volume",
    "write_mask",
]
