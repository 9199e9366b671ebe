"""The output contract: what a prediction must be for the organizers' script to score it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from evaluate.cases import CaseInfo, read_labels
from predict.errors import CaseError

MOST_INSTANCES = 255


def check_output(path: Path, shape: tuple[int, ...], info: CaseInfo) -> list[str]:
    """What is wrong with a prediction, one line each; nothing if it keeps the contract.

    Args:
        path: OUTPUTS/CASE.npz.
        shape: (D, H, W) of the input image.
        info: What was asked.
    """
    try:
        labels = read_labels(path, "segs", shape)
    except CaseError as error:
        return [str(error)]
    problems = []
    if labels.dtype != np.uint8:
        problems.append(f"segs: expected uint8, received {labels.dtype}")
    ids = set(np.unique(labels).tolist()) - {0}
    if info.instance:
        if ids != set(range(1, len(ids) + 1)):
            problems.append(f"segs: expected instances 1..n, received {_shorten(ids)}")
        if len(ids) > MOST_INSTANCES:
            problems.append(f"segs: expected at most 255 instances, received {len(ids)}")
    elif unknown := ids - set(info.prompts):
        problems.append(
            f"segs: expected ids among the prompts' {_shorten(set(info.prompts))}, "
            f"received {_shorten(unknown)}"
        )
    return problems


def _shorten(ids: set[float]) -> str:
    shown = ", ".join(f"{value:g}" for value in sorted(ids)[:6])
    return f"{shown}, ..." if len(ids) > 6 else shown
