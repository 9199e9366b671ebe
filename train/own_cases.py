"""A flat folder of one's own labelled cases: npz files that bring their prompts along."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from evaluate.cases import as_ids, read_labels
from predict.errors import CaseError, UsageError
from predict.npz import list_cases, read_case
from train.corpus import LabelledVolume, labelled_volume

logger = logging.getLogger(__name__)


class OwnCases(NamedTuple):
    """Volumes, the phrasings of their data set by class id, and whether ids are objects."""

    volumes: list[LabelledVolume]
    prompts: Mapping[int, tuple[str, ...]]
    instance: bool


def read_own_cases(folder: Path, modality: str = "") -> OwnCases:
    """Read FOLDER/*.npz with ``imgs``, ``gts`` and ``text_prompts``, as one data set.

    A class id means the same in every file: what the files say about it are its phrasings.
    Unreadable files are logged and left out.

    Args:
        folder: Its name is that of the data set.
        modality: Of the images, if known.

    Raises:
        UsageError: No file can be used, or only some of the cases are instance cases.
    """
    volumes, flags = [], set()
    phrasings: dict[int, dict[str, None]] = defaultdict(dict)
    for path in list_cases(folder):
        try:
            case = read_case(path)
            labels = as_ids(read_labels(path, "gts", case.image.shape))
        except CaseError as error:
            logger.warning("%s, left out", error)
            continue
        for prompt in case.prompts:
            phrasings[prompt.class_id][prompt.text] = None
        flags.add(case.instance)
        known = {prompt.class_id for prompt in case.prompts}
        image = np.rint(case.image)
        volumes.append(
            labelled_volume(case.name, folder.name, modality, image, labels, known, case.instance)
        )
    if not volumes:
        raise UsageError(f"{folder}: expected npz files with imgs, gts and text_prompts, none fits")
    if len(flags) > 1:
        raise UsageError(f"{folder}: expected one instance_label for all cases, received 0 and 1")
    prompts = {class_id: tuple(texts) for class_id, texts in sorted(phrasings.items())}
    return OwnCases(volumes, prompts, flags.pop())
