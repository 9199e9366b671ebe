"""Other code on the same case: a folder with a ``predict.sh`` that runs it.

``sh predict.sh INPUTS OUTPUTS BUNDLE`` is called in that folder. It reads INPUTS/NAME.npz, writes
OUTPUTS/NAME.npz with ``segs``, and ends with exit status 0. It may convert the weights of BUNDLE or
hold its own copy of them: the share of equal voxels tells whether they are the same.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from evaluate.cases import read_labels
from predict.errors import CaseError, UsageError

SCRIPT = "predict.sh"


def find_reference(folder: Path) -> Path:
    """The folder, absolute.

    Raises:
        UsageError: It has no predict.sh.
    """
    if not (folder / SCRIPT).is_file():
        raise UsageError(f"--reference {folder}: expected a folder with {SCRIPT}, found none")
    return folder.resolve()


def reference_command(inputs: Path, outputs: Path, bundle: Path) -> list[str]:
    """Command line, to be run in the reference's folder."""
    return ["sh", SCRIPT, *(str(path.resolve()) for path in (inputs, outputs, bundle))]


def equal_voxels(ours: Path, theirs: Path) -> float:
    """Share of voxels with the same label in two mask files.

    Raises:
        UsageError: One of them is missing or the shapes differ.
    """
    try:
        labels = read_labels(ours, "segs")
        return float(np.mean(labels == read_labels(theirs, "segs", labels.shape)))
    except CaseError as error:
        raise UsageError(f"--reference: no mask to compare: {error}") from error
