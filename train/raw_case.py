"""Image and labels of a training case as its files hold them: opened once, bounded, checked."""

from __future__ import annotations

import hashlib
import math
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from io import BufferedReader
from pathlib import Path

import numpy as np

from predict.archive import DAMAGE, read_header, read_numbers
from predict.errors import CaseError
from predict.npz import default_limit, one_line, read_spacing

IMAGE, LABELS, SPACING = "imgs", "gts", "spacing"
# Image and labels, and as much again for what is worked out of them.
ARRAYS_AT_ONCE = 4


class Defect(StrEnum):
    """What can be wrong with a case; the first group makes it unusable."""

    UNREADABLE = "unreadable"
    MISSING_KEY = "missing key"
    SHAPE = "shape"
    LABELS_NOT_WHOLE = "labels not whole"
    LABELS_NOT_FINITE = "labels not finite"
    LABELS_NEGATIVE = "labels negative"
    TOO_MANY_IDS = "too many ids"
    TOO_LARGE = "too large for the memory"
    IMAGE_NOT_FINITE = "no finite voxel"

    SOME_NOT_FINITE = "some voxels not finite"
    RESCALED = "outside of 0..255"
    UNIT_RANGE = "within 0..1"
    CONSTANT = "constant image"
    EMPTY = "no labelled voxel"
    LARGE_IDS = "ids above 255"
    BAD_SPACING = "spacing not usable"


UNUSABLE = tuple(Defect)[: tuple(Defect).index(Defect.SOME_NOT_FINITE)]


class DefectError(CaseError):
    """A case that cannot be used, and what kind of defect that is."""

    def __init__(self, defect: Defect, message: str) -> None:
        super().__init__(one_line(message))
        self.defect = defect


@dataclass(frozen=True, kw_only=True)
class RawCase:
    """Content of a case's files.

    Attributes:
        image: (D, H, W), none empty, any real dtype.
        labels: (D, H, W), any real dtype.
        spacing: What is under ``spacing``, unchecked; None where it cannot be read.
        has_spacing: Whether there is something under ``spacing``.
    """

    image: np.ndarray
    labels: np.ndarray
    spacing: object
    has_spacing: bool


def array_limit(workers: int) -> int:
    """Most bytes that an array may need where so many processes read cases at once."""
    return default_limit() // (ARRAYS_AT_ONCE * max(workers, 1))


@contextmanager
def open_files(paths: Sequence[Path]) -> Iterator[list[BufferedReader]]:
    """Open all files of a case, each once.

    Raises:
        DefectError: One cannot be opened.
    """
    with ExitStack() as stack:
        try:
            files = [stack.enter_context(path.open("rb")) for path in paths]
        except OSError as error:
            raise DefectError(Defect.UNREADABLE, str(error)) from error
        yield files


def hash_files(files: Sequence[BufferedReader]) -> str:
    """SHA-256 of a file's bytes, or of the SHA-256 digests of several files.

    Raises:
        DefectError: The disk refuses.
    """
    try:
        digests = [hashlib.file_digest(file, "sha256") for file in files]
    except OSError as error:
        raise DefectError(Defect.UNREADABLE, str(error)) from error
    if len(digests) == 1:
        return digests[0].hexdigest()
    return hashlib.sha256(b"".join(d.digest() for d in digests)).hexdigest()


def read_raw(files: Sequence[BufferedReader], limit: int) -> RawCase:
    """Read image, labels and spacing; nothing pickled is decoded.

    Args:
        files: The case's npz, and the npz with its labels where that is another one.
        limit: Most bytes that each of the two arrays may need.

    Raises:
        DefectError: They are not readable, or not two volumes of one shape.
    """
    try:
        with zipfile.ZipFile(files[0]) as images, zipfile.ZipFile(files[-1]) as masks:
            return _read_members(images, masks, limit)
    except DefectError:
        raise
    except MemoryError as error:
        raise DefectError(Defect.TOO_LARGE, "does not fit into memory") from error
    except CaseError as error:
        raise DefectError(Defect.UNREADABLE, str(error)) from error
    except DAMAGE as error:
        message = f"not a readable npz ({error or type(error).__name__})"
        raise DefectError(Defect.UNREADABLE, message) from error


def _read_members(images: zipfile.ZipFile, masks: zipfile.ZipFile, limit: int) -> RawCase:
    for archive, key in ((images, IMAGE), (masks, LABELS)):
        if f"{key}.npy" not in archive.namelist():
            packed = ", ".join(archive.namelist()[:6]) or "nothing"
            raise DefectError(Defect.MISSING_KEY, f"expected the key {key}, received {packed}")
    image_header = read_header(images, IMAGE, sys.maxsize)
    labels_header = read_header(masks, LABELS, sys.maxsize)
    needed = max(
        math.prod(shape) * dtype.itemsize for shape, dtype in (image_header, labels_header)
    )
    if needed > limit:
        raise DefectError(
            Defect.TOO_LARGE,
            f"needs {needed} bytes, at most {limit} are accepted; fewer workers accept more",
        )
    shape, labels_shape = image_header[0], labels_header[0]
    if shape != labels_shape or len(shape) != 3 or 0 in shape:
        raise DefectError(
            Defect.SHAPE, f"expected one shape (D, H, W), received {shape} and {labels_shape}"
        )
    has_spacing = f"{SPACING}.npy" in images.namelist()
    return RawCase(
        image=read_numbers(images, IMAGE, image_header),
        labels=read_numbers(masks, LABELS, labels_header),
        spacing=read_spacing(images) if has_spacing else None,
        has_spacing=has_spacing,
    )
