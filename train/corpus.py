"""Labelled volumes to train on: one way to ask for a case, wherever it is kept."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Protocol

import numpy as np

from predict.cases import MAX_ID, normalise_image
from predict.errors import CaseError
from predict.json_files import read_json_table

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseEntry:
    """What is known of a case without opening it; small enough for 200,000 of them in memory.

    Attributes:
        name: Case name.
        dataset: Data set the phrasings are looked up under.
        modality: CT, MR, PET, US or Microscopy.
        subject: Person or specimen, over all data sets; the case's own name where unknown.
        classes: Class ids present that have prompts, ascending.
    """

    name: str
    dataset: str
    modality: str
    subject: str
    classes: tuple[int, ...]


@dataclass(frozen=True)
class LabelledVolume:
    """One training case.

    Attributes:
        name: Case name.
        dataset: Data set the phrasings are looked up under.
        modality: CT, MR, PET, US or Microscopy.
        image: (D, H, W) uint8, 0..255; perhaps a read-only memory map.
        labels: (D, H, W) uint8; in an instance case 1 wherever there is an object.
        classes: Class ids present that have prompts.
    """

    name: str
    dataset: str
    modality: str
    image: np.ndarray
    labels: np.ndarray
    classes: tuple[int, ...]


class Corpus(Protocol):
    """Cases to train on; can be pickled for the workers of a DataLoader."""

    @property
    def entries(self) -> Sequence[CaseEntry]:
        """One entry per case, always in the same order."""

    def read(self, index: int) -> LabelledVolume:
        """The case of ``entries[index]``."""


class MemoryCorpus:
    """Volumes that are in memory already.

    Attributes:
        entries: One per volume, in their order.
    """

    def __init__(
        self, volumes: Sequence[LabelledVolume], subjects: Mapping[str, str] | None = None
    ) -> None:
        """Hold volumes.

        Args:
            volumes: The cases.
            subjects: Case name -> subject; a case that is not named is a subject of its own.
        """
        known = subjects or {}
        self.volumes = list(volumes)
        self.entries: list[CaseEntry] = [
            CaseEntry(
                name=volume.name,
                dataset=volume.dataset,
                modality=volume.modality,
                subject=known.get(volume.name, volume.name),
                classes=volume.classes,
            )
            for volume in self.volumes
        ]

    def read(self, index: int) -> LabelledVolume:
        """The volume itself."""
        return self.volumes[index]


class JoinedCorpus:
    """Several corpora, one after the other.

    Attributes:
        entries: Those of all parts.
    """

    def __init__(self, parts: Sequence[Corpus]) -> None:
        self.parts = list(parts)
        self.entries: list[CaseEntry] = [e for part in self.parts for e in part.entries]
        self.ends = list(accumulate(len(part.entries) for part in self.parts))

    def read(self, index: int) -> LabelledVolume:
        """The volume, from the part that has it.

        Raises:
            IndexError: There is no such entry.
        """
        if not 0 <= index < len(self.entries):
            raise IndexError(f"expected 0..{len(self.entries) - 1}, received {index}")
        part = bisect_right(self.ends, index)
        return self.parts[part].read(index - (self.ends[part - 1] if part else 0))


def read_corpus(root: Path, prompts_json: Path) -> list[LabelledVolume]:
    """Read ROOT/MODALITY/DATASET/*.npz (keys ``imgs`` and ``gts``); unreadable files are logged.

    Labels without a prompt in ``prompts_json`` are left out.
    """
    prompts = read_json_table(prompts_json)
    volumes = []
    for path in sorted(root.glob("*/*/*.npz")):
        dataset = path.parent.name
        if dataset not in prompts:
            logger.warning("%s: no prompts for data set %s, left out", path.name, dataset)
            continue
        known = {int(key) for key in prompts[dataset] if key != "instance_label"}
        try:
            with np.load(path) as arrays:
                image, labels = arrays["imgs"], arrays["gts"]
        except (OSError, ValueError, KeyError) as error:
            logger.warning("%s: unreadable, left out (%s)", path.name, error)
            continue
        if image.shape != labels.shape or image.ndim != 3:
            logger.warning(
                "%s: image %s, labels %s, left out", path.name, image.shape, labels.shape
            )
            continue
        instance = bool(prompts[dataset].get("instance_label", 0))
        modality = path.parent.parent.name
        try:
            volume = labelled_volume(path.stem, dataset, modality, image, labels, known, instance)
        except CaseError as error:
            logger.warning("%s: left out (%s)", path.name, error)
            continue
        volumes.append(volume)
    return volumes


def labelled_volume(
    name: str,
    dataset: str,
    modality: str,
    image: np.ndarray,
    labels: np.ndarray,
    known: set[int],
    instance: bool,
) -> LabelledVolume:
    """Compact form: uint8 throughout, the objects of an instance case merged.

    Raises:
        CaseError: The image is not one that prediction accepts.
    """
    labels = compact_labels(labels, instance)
    present = sorted(set(np.unique(labels).tolist()) & known)
    return LabelledVolume(name, dataset, modality, compact_image(image), labels, tuple(present))


def compact_image(image: np.ndarray) -> np.ndarray:
    """An image as prediction would hand it to the network, rounded to uint8.

    Args:
        image: (D, H, W), any real dtype; outside of 0..255 it is clipped and rescaled.

    Returns:
        (D, H, W) uint8, contiguous.

    Raises:
        CaseError: Not three axes, an empty axis, not real numbers, or no finite voxel.
    """
    normal, _ = normalise_image(image)
    if normal.dtype != np.uint8:
        normal = np.rint(normal).astype(np.uint8)
    return np.ascontiguousarray(normal)


def compact_labels(labels: np.ndarray, instance: bool) -> np.ndarray:
    """Class ids as uint8: 1 wherever an instance case has an object, else ids up to 255.

    Ids above 255, which no prompt can ask for, become background.
    """
    if instance:
        labels = labels > 0
    elif labels.dtype.kind != "b" and labels.dtype.itemsize > 1:
        labels = np.where(labels > MAX_ID, 0, labels)
    return np.ascontiguousarray(labels, dtype=np.uint8)
