"""Multi-page TIFF as microscopes and ImageJ write it: pages are slices, sizes are in the tags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, TiffImagePlugin

from predict.errors import CaseError
from predict.formats.sizes import check_size
from predict.volumes import Volume

DESCRIPTION, X_RESOLUTION, Y_RESOLUTION, UNIT = 270, 282, 283, 296
# Resolution units and names of units, in mm.
RESOLUTION_UNITS = {2: 25.4, 3: 10.0}
UNITS = {
    "nm": 1e-6, "um": 1e-3, "µm": 1e-3, "micron": 1e-3, "microns": 1e-3, "mm": 1.0, "cm": 10.0,
    "inch": 25.4,
}  # fmt: skip
DTYPES = {
    "1": "uint8", "L": "uint8", "I;16": "uint16", "I;16B": "uint16", "I;16S": "int16",
    "I": "int32", "F": "float32",
}  # fmt: skip


def read_tiff(path: Path) -> Volume:
    """Read .tif or .tiff; spacing from ImageJ's or OME's description, else from the resolution.

    Raises:
        CaseError: It cannot be used.
    """
    try:
        with Image.open(path, formats=["TIFF"]) as image:
            return _read(image)
    except (CaseError, MemoryError):
        raise
    except Exception as error:  # tags of an unknown sender can break the library in any way
        raise CaseError(f"not readable ({type(error).__name__}: {error})") from error


def write_tiff(labels: np.ndarray, volume: Volume, path: Path) -> None:
    """Write one page per slice, with ImageJ's description of the spacing.

    Raises:
        OSError: The disk or folder refuses.
    """
    x, y, z = volume.spacing
    microns = volume.kind != "tiff" or "scaled" in volume.extra
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    text = f"ImageJ=1.11a\nimages={len(labels)}\nslices={len(labels)}\n"
    if microns:
        text += f"unit=micron\nspacing={z * 1000!r}\n"
        tags[X_RESOLUTION], tags[Y_RESOLUTION] = _per_micron(x), _per_micron(y)
        tags[UNIT] = 1
    tags[DESCRIPTION] = text
    pages = [Image.fromarray(np.ascontiguousarray(page)) for page in labels]
    pages[0].save(
        path,
        format="TIFF",
        save_all=True,
        append_images=pages[1:],
        compression="tiff_adobe_deflate",
        tiffinfo=tags,
    )


def _per_micron(size: float) -> TiffImagePlugin.IFDRational:
    ratio = Fraction(1 / (size * 1000)).limit_denominator(10**6)
    return TiffImagePlugin.IFDRational(ratio.numerator, ratio.denominator)


def _read(image: Any) -> Volume:
    if image.mode not in DTYPES:
        raise CaseError(f"expected one grey value per voxel, received {image.mode}")
    pages = getattr(image, "n_frames", 1)
    shape = (pages, image.height, image.width)
    check_size(shape[::-1])
    text = str(image.tag_v2.get(DESCRIPTION, ""))
    _check_axes(text, pages)
    spacing = _spacing(text, image.tag_v2)
    array = np.empty(shape, DTYPES[image.mode])
    for index in range(pages):
        image.seek(index)
        if (image.height, image.width) != shape[1:] or image.mode not in DTYPES:
            raise CaseError(
                f"expected pages of {shape[2]} x {shape[1]}, received page {index + 1} of "
                f"{image.width} x {image.height} ({image.mode})"
            )
        array[index] = np.asarray(image)
    notes = () if spacing else ("the file does not tell its voxel size: taken as 1, 1, 1",)
    return Volume(
        array=array,
        spacing=spacing or (1.0, 1.0, 1.0),
        kind="tiff",
        oriented=False,
        extra={"warnings": notes, **({"scaled": True} if spacing else {})},
    )


def _check_axes(text: str, pages: int) -> None:
    """Refuse several channels or time points, and slices that are not pages.

    Raises:
        CaseError: Which of these it is.
    """
    counts = {}
    for axis, names in {"channels": "channels|SizeC", "time points": "frames|SizeT"}.items():
        found = re.search(rf'\b(?:{names})="?(\d+)', text)
        counts[axis] = int(found.group(1)) if found else 1
    for axis, count in counts.items():
        if count > 1:
            raise CaseError(f"expected one 3D image, received {count} {axis}: save one by itself")
    images = re.search(r"^images=(\d+)", text, re.MULTILINE) if text.startswith("ImageJ") else None
    if images and int(images.group(1)) != pages:
        raise CaseError(f"expected {images.group(1)} pages (ImageJ), received {pages}")


def _spacing(text: str, tags: Mapping[int, Any]) -> tuple[float, float, float] | None:
    """(x, y, z) in mm, or None."""
    if "PhysicalSizeX=" in text:
        sizes = [_ome_size(text, axis) for axis in "XYZ"]
        x, y, z = sizes
        if x and y:
            return x, y, z or x
    unit = re.search(r"^unit=(\S+)", text, re.MULTILINE)
    scale = UNITS.get(_unescape(unit.group(1)).lower()) if unit else None
    if scale is None:
        scale = RESOLUTION_UNITS.get(tags.get(UNIT, 0))
    if scale is None:
        return None
    across, down = (tags.get(key) for key in (X_RESOLUTION, Y_RESOLUTION))
    if not across or not down:
        return None
    depth = re.search(r"^spacing=([\d.eE+-]+)", text, re.MULTILINE)
    x, y = scale / float(across), scale / float(down)
    z = abs(float(depth.group(1))) * scale if depth else x
    return (x, y, z) if min(x, y, z) > 0 else None


def _ome_size(text: str, axis: str) -> float | None:
    size = re.search(rf'PhysicalSize{axis}="([\d.eE+-]+)"', text)
    unit = re.search(rf'PhysicalSize{axis}Unit="([^"]+)"', text)
    scale = UNITS.get(unit.group(1).lower().replace("&#181;", "µ")) if unit else UNITS["um"]
    return float(size.group(1)) * scale if size and scale else None


def _unescape(text: str) -> str:
    return text.replace("\\u00B5", "µ")
