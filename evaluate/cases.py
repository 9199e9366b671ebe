"""What scoring reads: prompts and spacing of an input, labels of a prediction or ground truth."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from predict.archive import DAMAGE, find_member, parse_header, read_object
from predict.cases import INSTANCE_KEY
from predict.errors import CaseError

UNREADABLE = (*DAMAGE, MemoryError)


@dataclass(frozen=True, kw_only=True)
class CaseInfo:
    """What was asked about a case.

    Attributes:
        name: File name without its ending.
        prompts: Class id -> text.
        instance: Whether the labels are objects.
        spacing: As in the file: (x, y, z) mm.
    """

    name: str
    prompts: Mapping[int, str]
    instance: bool
    spacing: tuple[float, float, float]


def read_info(path: Path) -> CaseInfo:
    """Read prompts and spacing of NAME.npz, not its image.

    Raises:
        CaseError: A key is missing or not what it should be.
    """
    with _open(path) as archive:
        spacing = np.atleast_1d(_read_array(archive, "spacing")).astype(np.float64)
        if spacing.shape != (3,) or not (np.isfinite(spacing) & (spacing > 0)).all():
            raise CaseError(f"spacing: expected three positive numbers, received {spacing}")
        table = read_object(archive, find_member(archive, "text_prompts"))
        if not isinstance(table, Mapping):
            raise CaseError(f"text_prompts: expected a dict, received {type(table).__name__}")
        flag = table.get(INSTANCE_KEY)
        if flag not in (0, 1):
            raise CaseError(f"{INSTANCE_KEY}: expected 0 or 1, received {flag!r}")
        prompts = {int(key): str(text) for key, text in table.items() if key != INSTANCE_KEY}
    x, y, z = spacing.tolist()
    return CaseInfo(
        name=path.name.removesuffix(".npz"),
        prompts=dict(sorted(prompts.items())),
        instance=bool(flag),
        spacing=(x, y, z),
    )


def read_labels(path: Path, key: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Read (D, H, W) numbers under a key, as they are.

    Args:
        path: NAME.npz.
        key: ``segs``, ``gts`` or ``imgs``.
        shape: What the header has to say, checked before anything is unpacked.

    Raises:
        CaseError: Missing, unreadable, of another shape, or not numbers.
    """
    with _open(path) as archive:
        labels = _read_array(archive, key, shape)
        if labels.ndim != 3:
            raise CaseError(f"{key}: expected three axes (D, H, W), received {labels.shape}")
        return labels


def read_shape(path: Path, key: str) -> tuple[int, ...]:
    """Shape of the array under a key, from its header alone.

    Raises:
        CaseError: Missing or unreadable.
    """
    with _open(path) as archive, archive.open(find_member(archive, key)) as file:
        return parse_header(key, file)[0]


def as_ids(labels: np.ndarray) -> np.ndarray:
    """Labels as non-negative integers.

    Raises:
        CaseError: Some are negative or not whole.
    """
    if labels.dtype.kind == "u":
        return labels
    if labels.dtype.kind == "b":
        return labels.view(np.uint8)
    low, high = labels.min(initial=0), labels.max(initial=0)
    if not (low >= 0 and high < 2**31):
        raise CaseError(f"labels: expected ids from 0 to 2147483647, received {low}..{high}")
    ids = labels.astype(np.int32, copy=False)
    if labels.dtype.kind == "f" and not np.array_equal(ids, labels):
        raise CaseError("labels: expected whole numbers, received fractions")
    return ids


@contextmanager
def _open(path: Path) -> Iterator[zipfile.ZipFile]:
    if not path.is_file():
        raise CaseError(f"{path.name}: no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except UNREADABLE as error:  # CaseError is one of them
        line = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise CaseError(f"{path.name}: {line}") from error


def _read_array(
    archive: zipfile.ZipFile, key: str, shape: tuple[int, ...] | None = None
) -> np.ndarray:
    info = find_member(archive, key)
    with archive.open(info) as file:
        found, dtype, _ = parse_header(key, file)
        if dtype.kind not in "biuf":
            raise CaseError(f"{key}: expected numbers, received {dtype}")
        if shape is not None and found != shape:
            raise CaseError(f"{key}: expected shape {shape}, received {found}")
    with archive.open(info) as file:
        return npy.read_array(file, allow_pickle=False)
