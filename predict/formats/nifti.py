"""NIfTI-1 and NIfTI-2: a mask keeps its image's header, so that its geometry is the same bits.

nibabel and not ITK, which reads no NIfTI-2, turns NaN into 0, fills a file that was cut off with
zeros and refuses sheared grids.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from predict.errors import CaseError
from predict.formats.sizes import check_size
from predict.volumes import Volume

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
MILLIMETRES = {"meter": 1e3, "micron": 1e-3}
SCANNER = 1  # sform and qform code: coordinates of the scanner
SHEAR = 1e-3


def read_nifti(path: Path) -> Volume:
    """Read .nii or .nii.gz.

    Raises:
        CaseError: It cannot be used.
    """
    from predict.formats.nifti_file import load_nifti

    try:
        image, header = load_nifti(path)
        if header.get_data_dtype().kind not in "iuf":
            raise CaseError(f"expected one real number per voxel, received {_type_name(header)}")
        check_size(header.get_data_shape())
        array = _voxels(image)
        spacing, origin, direction, warnings = _geometry(image)
    except (CaseError, MemoryError):
        raise
    except Exception as error:  # a header of an unknown sender can break the library in any way
        raise CaseError(f"not readable ({type(error).__name__}: {error})") from error
    oriented = bool(header["qform_code"] > 0 or header["sform_code"] > 0)
    if not oriented:
        warnings += ("the file does not tell its orientation: its axes are taken as they are",)
    return Volume(
        array=array,
        spacing=spacing,
        origin=origin,
        direction=direction,
        kind="nifti",
        oriented=oriented,
        extra={"header": header, "warnings": warnings},
    )


def write_nifti(labels: np.ndarray, volume: Volume, path: Path) -> None:
    """Write .nii or .nii.gz, with the header of the image where that was NIfTI too.

    Labels are marked as such; floats, such as probabilities, are not.

    Raises:
        OSError: The disk or folder refuses.
    """
    import nibabel

    library: Any = nibabel
    if volume.kind == "nifti" and "header" in volume.extra:
        header: Any = volume.extra["header"].copy()
        header["cal_min"] = header["cal_max"] = 0
        header["aux_file"] = b""
    else:
        header = library.Nifti1Header()
        header.set_data_shape(labels.shape[::-1])
        header.set_zooms(volume.spacing)
        header.set_xyzt_units("mm")
        if volume.oriented:
            header.set_qform(_affine(volume), SCANNER)
            header.set_sform(_affine(volume), SCANNER)
    header.set_data_dtype(labels.dtype)
    header.set_slope_inter(1, 0)
    whole = labels.dtype.kind in "iu"
    header.set_intent("label" if whole else "none")
    header["descrip"] = b"Text3DSAM mask" if whole else b"Text3DSAM probability"
    two = isinstance(header, library.Nifti2Header)
    kind = library.Nifti2Image if two else library.Nifti1Image
    library.save(kind(labels.T, None, header), path)


def _voxels(image: Any) -> np.ndarray:
    """(z, y, x); float32 where the file scales its values."""
    stored = image.dataobj
    if (stored.slope, stored.inter) == (1, 0):
        array = np.asarray(stored.get_unscaled())
    else:
        array = np.asarray(image.get_fdata(dtype=np.float32, caching="unchanged"))
    array = array.reshape(array.shape[:3], order="F").T
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        return array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _type_name(header: Any) -> str:
    dtype = header.get_data_dtype()
    return f"{len(dtype.names)} (colour)" if dtype.names else str(dtype)


def _geometry(
    image: Any,
) -> tuple[
    tuple[float, float, float],
    tuple[float, float, float],
    tuple[float, ...],
    tuple[str, ...],
]:
    """Spacing, origin and direction in LPS, and warnings."""
    affine = LPS_TO_RAS @ np.asarray(image.affine, np.float64)
    affine *= MILLIMETRES.get(image.header.get_xyzt_units()[0], 1.0)
    columns = affine[:3, :3]
    sizes = np.linalg.norm(columns, axis=0)
    if not np.isfinite(affine).all() or abs(np.linalg.det(columns)) <= 1e-9 * sizes.prod():
        raise CaseError("expected a grid with three directions, received a matrix without")
    cosines = columns / sizes
    sheared = np.abs(cosines.T @ cosines - np.eye(3)).max() > SHEAR
    warning = "the grid is sheared: other formats than NIfTI will show the mask askew"
    x, y, z = (float(size) for size in sizes)
    i, j, k = (float(value) for value in affine[:3, 3])
    direction = tuple(float(value) for value in cosines.ravel())
    return (x, y, z), (i, j, k), direction, (warning,) if sheared else ()


def _affine(volume: Volume) -> np.ndarray:
    """Voxel (i, j, k) -> RAS mm."""
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(volume.direction, (3, 3)) * volume.spacing
    affine[:3, 3] = volume.origin
    return np.asarray(LPS_TO_RAS @ affine)
