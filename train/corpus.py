"""Labelled volumes: what training reads, and a corpus that is held in memory."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelledVolume:
    """One training case.

    Attributes:
        name: Case name.
        dataset: Data set the phrasings are looked up under.
        modality: CT, MR, PET, US or Microscopy.
        image: (D, H, W) uint8, 0..255.
        labels: (D, H, W) uint8; in an instance case 1 wherever there is an object.
        classes: Class ids present.
    """

    name: str
    dataset: str
    modality: str
    image: np.ndarray
    labels: np.ndarray
    classes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class CaseEntry:
    """What is known of a case without reading its voxels.

    Attributes:
        name: Case name.
        dataset: Data set the phrasings are looked up under.
        modality: CT, MR, PET, US or Microscopy.
        subject: Cases of one subject are never split between training and validation.
        classes: Class ids present.
    """

    name: str
    dataset: str
    modality: str
    subject: str
    classes: tuple[int, ...]


class Corpus(Protocol):
    """Cases that can be listed at once and read one by one."""

    @property
    def entries(self) -> Sequence[CaseEntry]:
        """All cases, always in the same order."""
        ...

    def read(self, index: int) -> LabelledVolume:
        """Image and labels of ``entries[index]``."""
        ...


class MemoryCorpus:
    """Volumes in memory; worker processes share them."""

    def __init__(
        self, volumes: Sequence[LabelledVolume], subjects: Mapping[str, str] | None = None
    ) -> None:
        """Hold volumes.

        Args:
            volumes: The cases.
            subjects: Case name -> subject; a case that is not named is a subject of its own.
        """
        known = subjects or {}
        self._volumes = volumes
        self._entries = [
            CaseEntry(
                name=v.name,
                dataset=v.dataset,
                modality=v.modality,
                subject=known.get(v.name, v.name),
                classes=v.classes,
            )
            for v in volumes
        ]

    @property
    def entries(self) -> Sequence[CaseEntry]:
        """All cases, in the order of the volumes."""
        return self._entries

    def read(self, index: int) -> LabelledVolume:
        """The volume itself."""
        return self._volumes[index]


class JoinedCorpus:
    """Several corpora, one after the other."""

    def __init__(self, parts: Sequence[Corpus]) -> None:
        self._places = [(part, i) for part in parts for i in range(len(part.entries))]
        self._entries = [entry for part in parts for entry in part.entries]

    @property
    def entries(self) -> Sequence[CaseEntry]:
        """The cases of all parts."""
        return self._entries

    def read(self, index: int) -> LabelledVolume:
        """Image and labels from the part that has them."""
        part, place = self._places[index]
        return part.read(place)


def read_corpus(root: Path, prompts_json: Path) -> list[LabelledVolume]:
    """Read ROOT/MODALITY/DATASET/*.npz (keys ``imgs`` and ``gts``); unreadable files are logged.

    Labels without a prompt in ``prompts_json`` are left out.
    """
    prompts = json.loads(prompts_json.read_text(encoding="utf-8"))
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
        volumes.append(
            labelled_volume(path.stem, dataset, modality, image, labels, known, instance)
        )
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
    """Compact form: uint8 throughout, the objects of an instance case merged."""
    if instance:
        labels = labels > 0
    labels = np.ascontiguousarray(labels, dtype=np.uint8)
    present = sorted(set(np.unique(labels).tolist()) & known)
    image = np.ascontiguousarray(np.clip(image, 0, 255), dtype=np.uint8)
    return LabelledVolume(name, dataset, modality, image, labels, tuple(present))
