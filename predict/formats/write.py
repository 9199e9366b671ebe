"""Write a mask in the kind of file that its image came from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from predict.atomic import replacing
from predict.errors import UsageError
from predict.formats.read import DICOM_ENDINGS, ending_of
from predict.npz import write_labels
from predict.volumes import Volume

Colour = tuple[int, int, int]
UNNAMED: Colour = (160, 160, 160)
ENDINGS = {
    "nifti": ".nii.gz",
    "nrrd": ".seg.nrrd",
    "mha": ".mha",
    "dicom": ".dcm",
    "tiff": ".tif",
    "npz": ".npz",
}
WRITABLE = (".nii", ".nii.gz", ".nrrd", ".mha", ".tif", ".tiff", ".npz", ".dcm")


def write_mask(
    labels: np.ndarray,
    volume: Volume,
    path: Path,
    names: Mapping[int, str],
    colours: Mapping[int, Colour],
) -> tuple[Path, ...]:
    """Write a mask with the geometry of its image; nothing half-written is ever seen.

    The ending of the path decides the format: .nii, .nii.gz, .nrrd (.seg.nrrd), .mha, .tif,
    .tiff, .npz or, for an image that came as DICOM, .dcm (DICOM-SEG). Voxels are uint8, uint16
    or int32, the first that holds the largest id.

    Args:
        labels: Shape of ``volume.array``, in the order of the file (see
            `predict.orientation.from_canonical`); integers, 0 is background.
        volume: The image, as `read_volume` gave it.
        path: Where to; an existing file is replaced.
        names: Name of each id; also of those that were not found. An id without a name that
            occurs is called ``label ID``.
        colours: RGB 0..255 of each id; grey where there is none.

    Returns:
        The files written: the mask, then the JSON of names and colours if the format has no room
        for them.

    Raises:
        UsageError: An unknown ending, labels of another shape, or a missing library.
        OSError: The disk or folder refuses; nothing is left behind.
    """
    ending = next((e for e in sorted(WRITABLE, key=len) if path.name.lower().endswith(e)), None)
    if ending is None:
        raise UsageError(f"{path.name}: expected one of {', '.join(WRITABLE)}")
    if labels.shape != volume.array.shape or labels.dtype.kind not in "biu":
        raise UsageError(
            f"labels: expected integers of shape {volume.array.shape}, "
            f"received {labels.dtype} of {labels.shape}"
        )
    labels = labels.astype(_smallest(labels), copy=False)
    found = [int(label) for label in np.unique(labels) if label]
    names = {i: _one_line(names.get(i, f"label {i}")) for i in sorted({*names, *found} - {0})}
    colours = {i: colours.get(i, UNNAMED) for i in names}
    if ending == ".dcm":
        from predict.formats.dicom_seg import write_dicom_seg

        with replacing(path) as partial:
            write_dicom_seg(labels, volume, partial, names, colours)
        return (path,)
    if ending == ".nrrd":
        from predict.formats.nrrd import write_nrrd

        with replacing(path) as partial:
            write_nrrd(labels, volume, partial, names, colours)
        return (path,)
    _write_plain(labels, volume, path, ending)
    return (path, _write_names(path, names, colours))


def mask_name(source: Path, volume: Volume, ending: str | None = None) -> str:
    """File name of the mask of an image: its name without the ending, ``_mask``, an ending.

    Args:
        source: What `read_volume` was given.
        volume: What it returned.
        ending: ``nii.gz``, ``nrrd``, ... (a leading dot is fine); None for the kind of the source.
    """
    known = ending_of(source) or ""
    if not known and source.name.lower().endswith(DICOM_ENDINGS):
        known = source.suffix
    stem = source.name[: len(source.name) - len(known)] or source.resolve().name
    default = ".nii" if known == ".nii" else ENDINGS[volume.kind]
    return f"{stem}_mask.{(ending or default).lstrip('.')}"


def _write_plain(labels: np.ndarray, volume: Volume, path: Path, ending: str) -> None:
    """Formats without room for names."""
    if ending == ".npz":
        write_labels(path, labels)
        return
    with replacing(path) as partial:
        if ending in (".nii", ".nii.gz"):
            from predict.formats.nifti import write_nifti

            write_nifti(labels, volume, partial)
        elif ending == ".mha":
            from predict.formats.metaimage import write_metaimage

            write_metaimage(labels, volume, partial)
        else:
            from predict.formats.tiff import write_tiff

            write_tiff(labels, volume, partial)


def _write_names(path: Path, names: Mapping[int, str], colours: Mapping[int, Colour]) -> Path:
    """Names and colours beside a mask: NAME.json."""
    stem = path.name[:-7] if path.name.lower().endswith(".nii.gz") else path.stem
    sidecar = path.with_name(f"{stem}.json")
    labels = [{"id": i, "name": names[i], "color": list(colours[i])} for i in names]
    with replacing(sidecar) as partial:
        text = json.dumps({"mask": path.name, "labels": labels}, ensure_ascii=False, indent=2)
        partial.write_text(text + "\n", encoding="utf-8")
    return sidecar


def _smallest(labels: np.ndarray) -> type[np.generic]:
    if labels.dtype.kind == "b":
        return np.uint8
    if labels.size and labels.min() < 0:
        raise UsageError(f"labels: expected ids of 0 or more, received {labels.min()}")
    largest = labels.max(initial=0)
    return np.uint8 if largest < 2**8 else np.uint16 if largest < 2**16 else np.int32


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split()) or "?"
