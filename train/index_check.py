"""Verification of one training case: what is in it, and what is wrong with it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from predict.cases import MAX_ID, check_spacing
from train.raw_case import (
    UNUSABLE,
    Defect,
    DefectError,
    RawCase,
    hash_files,
    open_files,
    read_raw,
)
from train.source_files import SourceFile

COUNTED_AT_ONCE = 2**16
MAX_DISTINCT_IDS = 2**20


@dataclass(kw_only=True)
class CheckedCase:
    """What verification found; None where it did not get that far.

    Attributes:
        source: Which case.
        sha256: Of its files' bytes.
        image_hash: SHA-256 of shape and intensities, whatever dtype and compression they have.
        label_hash: The same of its labels.
        shape: (D, H, W).
        image_dtype: As in the file.
        label_dtype: As in the file.
        spacing: (x, y, z) mm.
        low: Least finite intensity.
        high: Greatest finite intensity.
        classes: Class id in 1..255 -> voxels; of an instance case 1, all objects together.
        objects: Number of objects of an instance case.
        defects: What is wrong, with one line each.
    """

    source: SourceFile
    sha256: str | None = None
    image_hash: str | None = None
    label_hash: str | None = None
    shape: tuple[int, int, int] | None = None
    image_dtype: str | None = None
    label_dtype: str | None = None
    spacing: tuple[float, float, float] | None = None
    low: float | None = None
    high: float | None = None
    classes: dict[int, int] = field(default_factory=dict)
    objects: int | None = None
    defects: list[tuple[Defect, str]] = field(default_factory=list)

    @property
    def usable(self) -> bool:
        """Whether one can train on it."""
        return not any(defect in UNUSABLE for defect, _ in self.defects)


def check_case(source: SourceFile, limit: int) -> CheckedCase:
    """Open a case once and look at everything; what is wrong is listed, never raised.

    Args:
        source: The case.
        limit: Most bytes that its image or its labels may need.
    """
    case = CheckedCase(source=source)
    try:
        with open_files(source.files) as files:
            case.sha256 = hash_files(files)
            _look_at(read_raw(files, limit), case)
    except DefectError as error:
        case.defects.append((error.defect, str(error)))
    except MemoryError:
        case.defects.append((Defect.TOO_LARGE, "does not fit into memory"))
    return case


def _look_at(raw: RawCase, case: CheckedCase) -> None:
    depth, height, width = raw.image.shape
    case.shape = (depth, height, width)
    case.image_dtype, case.label_dtype = str(raw.image.dtype), str(raw.labels.dtype)
    if raw.has_spacing:
        case.spacing, warnings = check_spacing(raw.spacing)
        if warnings:
            case.spacing = None
            case.defects.append((Defect.BAD_SPACING, warnings[0]))
    _look_at_image(raw.image, case)
    _look_at_labels(raw.labels, case)


def _look_at_image(image: np.ndarray, case: CheckedCase) -> None:
    low, high, finite = value_range(image)
    if finite == 0:
        raise DefectError(Defect.IMAGE_NOT_FINITE, "expected finite intensities, received none")
    if finite < image.size:
        case.defects.append(
            (Defect.SOME_NOT_FINITE, f"{image.size - finite} voxels: they are taken as 0")
        )
    case.low, case.high = low, high
    case.image_hash = content_hash(image)
    found = f"received {low:g}..{high:g}"
    if low == high:
        case.defects.append((Defect.CONSTANT, found))
    elif low < 0 or high > MAX_ID:
        case.defects.append((Defect.RESCALED, f"{found}: clipped and rescaled"))
    elif image.dtype.kind == "f" and high <= 1:
        case.defects.append((Defect.UNIT_RANGE, f"{found}: nearly black on the scale of 0..255"))


def _look_at_labels(labels: np.ndarray, case: CheckedCase) -> None:
    low, high, finite = value_range(labels)
    if finite < labels.size:
        raise DefectError(
            Defect.LABELS_NOT_FINITE, f"{labels.size - finite} voxels are NaN or infinite"
        )
    if low < 0:
        raise DefectError(Defect.LABELS_NEGATIVE, f"expected ids from 0, received {low:g}")
    if labels.dtype.kind == "f" and not all((p == np.floor(p)).all() for p in labels):
        raise DefectError(Defect.LABELS_NOT_WHOLE, "expected whole numbers, received fractions")
    if high >= 2**31:
        raise DefectError(Defect.TOO_MANY_IDS, f"expected ids below 2**31, received {high:g}")
    counts = count_ids(labels)
    case.label_hash = content_hash(labels)
    if not counts:
        case.defects.append((Defect.EMPTY, "all background"))
    if case.source.instance:
        case.objects = len(counts)
        case.classes = {1: sum(counts.values())} if counts else {}
        return
    case.classes = {i: voxels for i, voxels in counts.items() if i <= MAX_ID}
    if len(case.classes) < len(counts):
        many = len(counts) - len(case.classes)
        case.defects.append((Defect.LARGE_IDS, f"{many} ids, up to {high:g}: taken as background"))


def value_range(volume: np.ndarray) -> tuple[float, float, int]:
    """Least and greatest finite value, and how many voxels are finite; plane by plane."""
    if volume.dtype.kind != "f":
        return float(volume.min()), float(volume.max()), volume.size
    low, high, count = np.inf, -np.inf, 0
    for plane in volume:
        finite = plane[np.isfinite(plane)]
        count += finite.size
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return low, high, count


def count_ids(labels: np.ndarray) -> dict[int, int]:
    """Voxels of every id but 0, of a volume of whole numbers from 0.

    Raises:
        DefectError: So many ids that it is hardly a mask.
    """
    counts: Counter[int] = Counter()
    for plane in labels:
        if plane.max() < COUNTED_AT_ONCE:
            voxels = np.bincount(plane.ravel().astype(np.uint16))
            ids = np.flatnonzero(voxels)
            voxels = voxels[ids]
        else:
            ids, voxels = np.unique(plane, return_counts=True)
        counts.update(dict(zip(ids.astype(int).tolist(), voxels.tolist(), strict=True)))
        if len(counts) > MAX_DISTINCT_IDS:
            raise DefectError(Defect.TOO_MANY_IDS, f"more than {MAX_DISTINCT_IDS} ids")
    del counts[0]
    return dict(sorted(counts.items()))


def content_hash(volume: np.ndarray) -> str:
    """SHA-256 of shape and values: the same for the same volume in another dtype or order.

    Whole numbers from 0 to 255 count as uint8 whatever they were saved as; anything else is the
    same only in the same dtype.
    """
    small = all(_fits_uint8(plane) for plane in volume)
    digest = hashlib.sha256(f"{volume.shape} {'u1' if small else volume.dtype.str}".encode())
    for plane in _planes(volume, small):
        digest.update(plane.data)
    return digest.hexdigest()


def _fits_uint8(plane: np.ndarray) -> bool:
    if plane.dtype.kind in "bu" and plane.dtype.itemsize == 1:
        return True
    if not (plane.min() >= 0 and plane.max() <= MAX_ID):
        return False
    return plane.dtype.kind != "f" or bool((plane == np.floor(plane)).all())


def _planes(volume: np.ndarray, small: bool) -> Iterator[np.ndarray]:
    for plane in volume:
        yield np.ascontiguousarray(plane, dtype=np.uint8 if small else None)
