"""DICOM series: which there are, and one of them as a volume."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from predict.errors import CaseError, UsageError
from predict.formats.dicom_files import open_files, read_header
from predict.formats.series import Series
from predict.formats.sizes import check_size
from predict.formats.slices import Stack, stack_slices
from predict.npz import one_line
from predict.volumes import Volume

if TYPE_CHECKING:
    from pydicom import Dataset

MODALITIES = {"CT": "CT", "MR": "MR", "PT": "PET", "US": "US", "SM": "Microscopy"}
GREY = ("MONOCHROME1", "MONOCHROME2")
Slices = list[tuple[Path, "Dataset"]]


def list_dicom_series(path: Path) -> list[Series]:
    """See `predict.formats.list_series`."""
    with open_files(path) as files:
        return [_describe(slices) for slices in _group(path, files)]


def read_dicom(path: Path, series: str | None) -> Volume:
    """Read the only series of a file, folder or zip, or the chosen one.

    Raises:
        UsageError: Several and none chosen, or no such series.
        CaseError: It cannot be used.
    """
    with open_files(path) as files:
        slices = _choose(_group(path, files), series)
        try:
            return _read(slices)
        except (CaseError, MemoryError):
            raise
        except Exception as error:  # a tag of an unknown sender can break the library in any way
            raise CaseError(f"not readable ({type(error).__name__}: {error})") from error


def _read(slices: Slices) -> Volume:
    for _, header in slices:
        _check_grey(header)
    if len(slices) == 1 and int(slices[0][1].get("NumberOfFrames") or 1) > 1:
        return _read_frames(*slices[0])
    return _read_slices(slices)


def _read_slices(slices: Slices) -> Volume:
    headers = [header for _, header in slices]
    first = headers[0]
    stack = stack_slices(
        np.array([_numbers(header, "ImagePositionPatient", 3) for header in headers]),
        np.array(_numbers(first, "ImageOrientationPatient", 6)),
    )
    shape = (len(slices), int(first.Rows), int(first.Columns))
    check_size(shape[::-1])
    planes = (
        _rescaled(_decode(*slices[index], frames=1)[0], headers[index]) for index in stack.order
    )
    sorted_headers = tuple(headers[index] for index in stack.order)
    return _volume(sorted_headers, first, _stacked(planes, shape), stack, None)


def _read_frames(path: Path, header: Dataset) -> Volume:
    """One file with many frames, each with its place (enhanced CT, MR or PET)."""
    frames = header.get("PerFrameFunctionalGroupsSequence")
    if frames is None:
        raise CaseError(
            f"expected a place for each of {header.NumberOfFrames} frames, received none "
            "(a film, or frames without geometry)"
        )
    shared = header.get("SharedFunctionalGroupsSequence") or [None]

    def find(index: int, group: str, *, required: bool = True) -> Any:
        for holder in (frames[index], shared[0]):
            if holder is not None and group in holder:
                return holder[group][0]
        if not required:
            return None
        raise CaseError(f"frame {index + 1}: expected {group}, received none")

    count = len(frames)
    shape = (count, int(header.Rows), int(header.Columns))
    check_size(shape[::-1])
    orientations = [
        _numbers(find(i, "PlaneOrientationSequence"), "ImageOrientationPatient", 6)
        for i in range(count)
    ]
    if np.ptp(np.array(orientations), axis=0).max() > 1e-3:
        raise CaseError("expected parallel frames, received several orientations")
    positions = [
        _numbers(find(i, "PlanePositionSequence"), "ImagePositionPatient", 3) for i in range(count)
    ]
    stack = stack_slices(np.array(positions), np.array(orientations[0]))
    pixels = _decode(path, header, frames=count)
    measures = find(0, "PixelMeasuresSequence")
    rules = [find(i, "PixelValueTransformationSequence", required=False) for i in range(count)]
    array = _stacked((_rescaled(pixels[i], rules[i] or header) for i in stack.order), shape)
    return _volume((header,), measures, array, stack, stack.order)


def _volume(
    headers: tuple[Dataset, ...],
    measures: Dataset,
    array: np.ndarray,
    stack: Stack,
    frames: tuple[int, ...] | None,
) -> Volume:
    down, across = _numbers(measures, "PixelSpacing", 2)
    depth = stack.gap
    if depth is None:
        # SpacingBetweenSlices may be negative: the direction of counting.
        told = measures.get("SpacingBetweenSlices") or measures.get("SliceThickness") or 1
        depth = abs(float(told))
    first = headers[0]
    inverted = str(first.get("PhotometricInterpretation")) == "MONOCHROME1"
    return Volume(
        array=array,
        spacing=(across, down, depth),
        origin=stack.origin,
        direction=stack.direction,
        kind="dicom",
        modality=MODALITIES.get(str(first.get("Modality"))),
        extra={
            "headers": headers,
            "frames": frames,
            "warnings": ("the image is stored inverted (MONOCHROME1)",) if inverted else (),
        },
    )


def _decode(path: Path, header: Dataset, frames: int) -> np.ndarray:
    """Pixels of one file, (frames, rows, columns), as stored."""
    import pydicom

    syntax = getattr(header.file_meta, "TransferSyntaxUID", None)
    try:
        dataset = pydicom.dcmread(path, force=True)
        if syntax in pydicom.uid.JPEG2000TransferSyntaxes:
            # GDCM, which pydicom would take first, ends the process on some damaged streams.
            dataset.pixel_array_options(decoding_plugin="pillow")
        pixels = dataset.pixel_array
    except MemoryError:
        raise
    except Exception as error:  # pixels of an unknown sender can break a decoder in any way
        name = syntax.name if syntax else "unknown"
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CaseError(f"transfer syntax {name} cannot be decoded ({reason})") from error
    expected = (frames, int(header.Rows), int(header.Columns))
    if pixels.size != np.prod(expected):
        raise CaseError(f"expected pixels of shape {expected}, received {pixels.shape}")
    return np.asarray(pixels.reshape(expected))


def _rescaled(pixels: np.ndarray, rule: Dataset) -> np.ndarray:
    """Stored values times RescaleSlope plus RescaleIntercept: integers if both are whole."""
    slope, intercept = (
        _numbers({key: [rule.get(key, default)]}, key, 1)[0]
        for key, default in (("RescaleSlope", 1), ("RescaleIntercept", 0))
    )
    if slope.is_integer() and intercept.is_integer():
        if (slope, intercept) == (1, 0):
            return pixels
        whole = pixels.astype(np.int64) * int(slope) + int(intercept)
        short = whole.min() >= -(2**15) and whole.max() < 2**15
        return whole.astype(np.int16 if short else np.int32)
    return (pixels * np.float64(slope) + intercept).astype(np.float32)


def _stacked(planes: Iterable[np.ndarray], shape: tuple[int, int, int]) -> np.ndarray:
    """One array in the smallest type that holds all planes: integers, else float32."""
    array: np.ndarray | None = None
    for index, plane in enumerate(planes):
        kind = np.dtype(np.float32) if plane.dtype.kind == "f" else plane.dtype
        if array is None:
            array = np.empty(shape, kind)
        elif not np.can_cast(kind, array.dtype):
            wider = np.result_type(kind, array.dtype)
            array = array.astype(np.float32 if wider.kind == "f" else wider)
        array[index] = plane
    if array is None:
        raise CaseError("expected slices, received none")
    return array


def _group(path: Path, files: Sequence[Path]) -> list[Slices]:
    """Slices by series, orientation and size; the largest group first.

    Raises:
        UsageError: Nothing there is a DICOM image.
    """
    groups: dict[tuple[object, ...], Slices] = {}
    seen: set[str] = set()
    for file in files:
        header = read_header(file)
        if header is None or str(header.SOPInstanceUID) in seen:
            continue
        seen.add(str(header.SOPInstanceUID))
        turn = header.get("ImageOrientationPatient") or ()
        single = int(header.get("NumberOfFrames") or 1) == 1
        key = (
            *(str(header.get("SeriesInstanceUID")), header.Rows, header.Columns),
            *(tuple(round(float(value), 3) + 0.0 for value in turn),),
            *("" if single else str(header.SOPInstanceUID),),
        )
        groups.setdefault(key, []).append((file, header))
    if not groups:
        raise UsageError(f"{path.name}: expected DICOM images, found {len(files)} other files")
    return sorted(groups.values(), key=lambda group: -_describe(group).slices)


def _describe(slices: Slices) -> Series:
    header = slices[0][1]
    return Series(
        uid=str(header.get("SeriesInstanceUID", "")),
        modality=str(header.get("Modality", "unknown")),
        description=one_line(str(header.get("SeriesDescription", ""))),
        slices=sum(int(header.get("NumberOfFrames") or 1) for _, header in slices),
    )


def _choose(groups: list[Slices], series: str | None) -> Slices:
    described = [_describe(slices) for slices in groups]
    listing = "; ".join(f"{n}: {found} [{found.uid}]" for n, found in enumerate(described, 1))
    if series is None:
        if len(groups) == 1:
            return groups[0]
        raise UsageError(f"expected one DICOM series, found {len(groups)}: choose one of {listing}")
    if series.isascii() and series.isdigit() and 1 <= int(series[:6]) <= len(groups):
        return groups[int(series) - 1]
    chosen = [group for group, found in zip(groups, described, strict=True) if found.uid == series]
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        raise UsageError(f"series {series} has several stacks: choose by number of {listing}")
    raise UsageError(f"no series {one_line(series)!r}: choose one of {listing}")


def _check_grey(header: Dataset) -> None:
    kind = str(header.get("PhotometricInterpretation"))
    if int(header.get("SamplesPerPixel", 1)) != 1 or kind not in GREY:
        raise CaseError(f"expected one grey value per pixel, received {kind}")


def _numbers(header: Mapping[str, Any] | Dataset, key: str, count: int) -> list[float]:
    value = None
    try:
        value = header.get(key)
        numbers = [float(v) for v in value] if value is not None else []
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise CaseError(f"expected {count} numbers as {key}, received {str(value)[:60]}")
    return numbers
