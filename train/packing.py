"""Packs: one file per case that a training step reads without inflating or resizing a volume.

A pack is an npy file of the image, uint8 and uncompressed, so that ``np.load(mmap_mode="r")``
opens it; after it come the labels, deflated, then a description in JSON, then the trailer: the
description's length and a mark.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib import format as npy

from predict.cases import normalise_image
from predict.errors import CaseError, UsageError
from train.corpus import compact_image, compact_labels
from train.downscale import Size, area_average, downscale_labels, packed_size
from train.raw_case import RawCase

FORMAT = 1
MAX_SIZE: Size = (128, 192, 192)
SETTINGS_FILE = "pack.json"
SUFFIX = ".pack"
PARTIAL = ".partial"
TRAILER = struct.Struct("<I8s")
MARK = b"t3dpack1"
FAST = 1
LONG_TABLE = 2**20


@dataclass(frozen=True)
class PackSettings:
    """What packs of a cache have in common.

    Attributes:
        max_size: Most voxels along each axis (D, H, W); larger cases are downscaled.
    """

    max_size: Size = MAX_SIZE

    def name(self, sha256: str, instance: bool) -> str:
        """Pack file of a case below the cache folder: another source, another name."""
        key = f"{FORMAT} {self.max_size} {instance} {sha256}"
        digest = hashlib.sha256(key.encode()).hexdigest()[:32]
        return f"{digest[:2]}/{digest}{SUFFIX}"

    def save(self, cache: Path) -> None:
        """Write them into the cache's folder, in place of others."""
        text = json.dumps({"format": FORMAT, **asdict(self)})
        _replace_file(cache / SETTINGS_FILE, [text.encode()])

    @classmethod
    def load(cls, cache: Path) -> PackSettings:
        """Read them.

        Raises:
            UsageError: The folder is not a cache that was packed to the end.
        """
        try:
            values = json.loads((cache / SETTINGS_FILE).read_text())
            depth, height, width = map(int, values["max_size"])
            if values["format"] != FORMAT:
                raise ValueError(f"format {values['format']}")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{cache}: expected a packed cache of format {FORMAT}, received {error!r};"
                " run python -m train pack"
            ) from error
        return cls((depth, height, width))


class Pack(NamedTuple):
    """Content of a pack.

    Attributes:
        image: (d, h, w) uint8.
        labels: (d, h, w) uint8; in an instance case 1 wherever there is an object.
        classes: Class ids present in the labels, ascending.
    """

    image: np.ndarray
    labels: np.ndarray
    classes: tuple[int, ...]


def make_pack(raw: RawCase, instance: bool, settings: PackSettings) -> Pack:
    """Compact form of a case, downscaled once.

    Args:
        raw: A case whose labels are whole numbers from 0.
        instance: Whether its labels are objects. They are downscaled one by one, so that none
            gets lost, and then merged.
        settings: Largest size.

    Raises:
        CaseError: The image has no finite voxel.
    """
    size = packed_size(raw.image.shape, settings.max_size)
    image = compact_image(raw.image) if size == raw.image.shape else _small_image(raw.image, size)
    labels = _object_ids(raw.labels) if instance else compact_labels(raw.labels, instance)
    labels = compact_labels(downscale_labels(labels, size), instance)
    present = np.flatnonzero(np.bincount(labels.ravel(), minlength=1))
    return Pack(image, labels, tuple(int(i) for i in present if i))


def write_pack(path: Path, pack: Pack, about: Mapping[str, object]) -> None:
    """Write a pack under a temporary name, then rename it.

    Args:
        path: Its folder is made where it is missing.
        pack: Content.
        about: What else to write down, for readers of the file.

    Raises:
        OSError: The disk refuses; nothing is left behind.
    """
    deflated = zlib.compress(pack.labels.tobytes(), FAST)
    description = json.dumps(
        {"labels_bytes": len(deflated), "classes": pack.classes, **about}
    ).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    trailer = TRAILER.pack(len(description), MARK)
    _replace_file(path, [_npy(pack.image), deflated, description, trailer])


def read_pack(path: Path) -> Pack:
    """Map the image read-only and inflate the labels.

    Raises:
        CaseError: Missing or damaged.
    """
    try:
        image = npy.open_memmap(path, mode="r")
        if image.dtype != np.uint8 or image.ndim != 3:
            raise ValueError(f"{image.dtype} of shape {image.shape}")
        with path.open("rb") as file:
            file.seek(-TRAILER.size, os.SEEK_END)
            length, mark = TRAILER.unpack(file.read())
            if mark != MARK:
                raise ValueError("no mark at its end")
            file.seek(-TRAILER.size - length, os.SEEK_END)
            description = json.loads(file.read(length))
            file.seek(-TRAILER.size - length - description["labels_bytes"], os.SEEK_END)
            deflated = file.read(description["labels_bytes"])
        # One byte more than there should be tells a longer stream from a right one.
        inflated = zlib.decompressobj().decompress(deflated, image.size + 1)
        labels = np.frombuffer(inflated, np.uint8).reshape(image.shape)
    except (OSError, ValueError, KeyError, TypeError, zlib.error) as error:
        raise CaseError(f"{path}: expected a pack, received {error!r}") from error
    return Pack(image, labels, tuple(description["classes"]))


def _small_image(image: np.ndarray, size: Size) -> np.ndarray:
    average = area_average(normalise_image(image)[0], size)
    np.rint(average, out=average)
    return average.astype(np.uint8)


def _object_ids(labels: np.ndarray) -> np.ndarray:
    """The same objects as int32, numbered anew where a table up to the largest id is long."""
    if labels.max() < LONG_TABLE:
        return labels.astype(np.int32)
    objects = labels > 0
    numbered = np.zeros(labels.shape, np.int32)
    numbered[objects] = np.unique(labels[objects], return_inverse=True)[1] + 1
    return numbered


def _npy(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    npy.write_array(buffer, np.ascontiguousarray(image), allow_pickle=False)
    return buffer.getvalue()


def _replace_file(path: Path, parts: Sequence[bytes]) -> None:
    partial = path.with_name(f".{os.urandom(8).hex()}{PARTIAL}")
    try:
        with partial.open("xb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise
