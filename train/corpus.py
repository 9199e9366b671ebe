"""Labelled volumes in the challenge's layout, held in memory."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

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
