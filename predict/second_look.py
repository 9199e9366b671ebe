"""Where to look a second time: windows around what a coarse look found, in finer voxels.

The paper refines a mask on the grid of the coarse pass. Where the target is small in the volume,
the same passes see more of it in a window of its own; prompts with windows close by share one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from predict.instances import bounding_box
from predict.resample import Span, Window, axis_matrix

MARGIN = 0.25
LEAST_SHARE = 0.3
MOST_STRETCH = 1.5
WORTHWHILE = 0.6
MOST_WINDOWS = 8
Shares = np.ndarray


@dataclass(frozen=True)
class Look:
    """Prompts to be refined together.

    Attributes:
        members: Their numbers.
        window: Part of the case to look at, in voxels; None: they found nothing, the whole case is
            looked at as coarsely as before.
    """

    members: tuple[int, ...]
    window: Window | None


def plan_looks(logits: torch.Tensor, shape: Sequence[int]) -> list[Look]:
    """Windows for all prompts, found ones and others.

    A window holds all positive cells of its prompts and a margin, at least LEAST_SHARE of every
    axis (the network was trained on no smaller ones), its axes zoomed alike up to MOST_STRETCH. A
    prompt that found so much that a window would not help gets all of the case.

    Args:
        logits: (C, d, h, w) of the coarse look.
        shape: (D, H, W) of the case.
    """
    nothing: list[int] = []
    much: list[int] = []
    boxes: list[tuple[list[int], Shares]] = []
    for number, box in enumerate(_positive_boxes(logits)):
        if box is None:
            nothing.append(number)
        elif _volume(window := _widen(box, MARGIN)) > WORTHWHILE:
            much.append(number)
        else:
            boxes.append(([number], window))
    looks = [Look(tuple(nothing), None)] if nothing else []
    for members, box in _merge(boxes):
        if _volume(box) > WORTHWHILE:
            much += members
        else:
            low, high = (box * np.asarray(shape, float)[:, None]).T.tolist()
            z, y, x = zip(low, high, strict=True)
            looks.append(Look(tuple(members), (z, y, x)))
    if much:
        everything = (0.0, shape[0]), (0.0, shape[1]), (0.0, shape[2])
        looks.append(Look(tuple(sorted(much)), everything))
    return looks


def into_window(logits: torch.Tensor, window: Window, shape: Sequence[int]) -> torch.Tensor:
    """Coarse logits (N, d, h, w) of a case of (D, H, W) voxels -> the same grid over a window."""
    for axis, (span, length) in enumerate(zip(window, shape, strict=True)):
        cells = logits.shape[1 + axis]
        inside: Span = (span[0] * cells / length, span[1] * cells / length)
        matrix = axis_matrix(cells, cells, inside).to(logits)
        logits = torch.tensordot(logits, matrix, dims=([1 + axis], [1])).movedim(-1, 1 + axis)
    return logits.contiguous()


def _positive_boxes(logits: torch.Tensor) -> list[Shares | None]:
    """(3, 2) shares of the axes, from the first to behind the last positive cell, per class."""
    boxes: list[Shares | None] = []
    for positive in (logits > 0).cpu().numpy():
        box = bounding_box(positive)
        sizes = np.array(positive.shape)[:, None]
        boxes.append(box and np.array([(part.start, part.stop) for part in box]) / sizes)
    return boxes


def _widen(box: Shares, margin: float = 0.0) -> Shares:
    """Margin, least size and aspect, kept inside of the case."""
    extent = np.minimum((box[:, 1] - box[:, 0]) * (1 + 2 * margin), 1.0)
    extent = np.maximum(extent, max(LEAST_SHARE, extent.max() / MOST_STRETCH))
    low = np.clip(box.mean(axis=1) - extent / 2, 0, 1 - extent)
    return np.stack((low, low + extent), axis=1)


def _merge(boxes: list[tuple[list[int], Shares]]) -> list[tuple[list[int], Shares]]:
    """Join the two windows whose joint one grows least, as long as that is cheap or they are many.

    Each window costs an encoding of the image. Joining is cheap where the joint window is no larger
    than the two together.
    """
    boxes = list(boxes)
    while len(boxes) > 1:
        pairs = [(a, b) for a in range(len(boxes)) for b in range(a)]
        growth = [
            _volume(_union(boxes[a][1], boxes[b][1])) - _volume(boxes[a][1]) - _volume(boxes[b][1])
            for a, b in pairs
        ]
        best = int(np.argmin(growth))
        if growth[best] > 0 and len(boxes) <= MOST_WINDOWS:
            break
        a, b = pairs[best]
        members = sorted(boxes[a][0] + boxes[b][0])
        joint = (members, _widen(_union(boxes[a][1], boxes[b][1])))
        boxes = [box for i, box in enumerate(boxes) if i not in (a, b)] + [joint]
    return boxes


def _union(a: Shares, b: Shares) -> Shares:
    return np.stack((np.minimum(a[:, 0], b[:, 0]), np.maximum(a[:, 1], b[:, 1])), axis=1)


def _volume(box: Shares) -> float:
    return float(np.prod(box[:, 1] - box[:, 0]))
