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
FINER = 1.5  # voxels of the case for each of the coarse look, along some axis
MOST_WINDOWS = 8  # each, for thin and for compact targets
COMPACT = 0.5  # share of a target's cells that lie inside of it
Shares = np.ndarray


@dataclass(frozen=True)
class Look:
    """Prompts to be refined together.

    Attributes:
        members: Their numbers.
        window: Part of the case to look at, in voxels; None: the whole case, as coarsely as before.
        thin: Whether they are thin or scattered: tiles near the native resolution show them better,
            while a compact target is better seen whole.
    """

    members: tuple[int, ...]
    window: Window | None
    thin: bool = False


def plan_looks(logits: torch.Tensor, shape: Sequence[int], grid: Sequence[int]) -> list[Look]:
    """Windows for all prompts, found ones and others.

    A window holds all positive cells of its prompts and a margin, at least LEAST_SHARE of every
    axis (the network was trained on no smaller ones), its axes zoomed alike up to MOST_STRETCH. A
    prompt that found so much that a window would not help gets all of the case. Thin and compact
    targets never share a window. Where the coarse look saw nearly every voxel there is nothing
    finer to see, and all prompts are refined on the whole case.

    Args:
        logits: (C, d, h, w) of the coarse look.
        shape: (D, H, W) of the case.
        grid: (d, h, w) of the network's input.
    """
    if max(length / cells for length, cells in zip(shape, grid, strict=True)) < FINER:
        return [Look(tuple(range(len(logits))), None)]
    nothing: list[int] = []
    found: dict[bool, list[tuple[int, Shares]]] = {False: [], True: []}
    for number, positive in enumerate((logits > 0).cpu().numpy()):
        box = _shares(positive)
        if box is None:
            nothing.append(number)
        else:
            found[inner_share(positive) < COMPACT].append((number, _widen(box, MARGIN)))
    looks = [Look(tuple(nothing), None)] if nothing else []
    for thin, windows in found.items():
        looks += _share_windows(windows, shape, thin)
    return looks


def inner_share(mask: np.ndarray) -> float:
    """Share of a mask's cells that touch no cell outside of it; beyond the border it goes on.

    Args:
        mask: (d, h, w) bool, not empty.
    """
    padded = np.pad(mask, 1, mode="edge")
    inner = mask.copy()
    for axis, length in enumerate(mask.shape):
        for start in (0, 2):
            beside = [slice(1, -1)] * 3
            beside[axis] = slice(start, start + length)
            inner &= padded[tuple(beside)]
    return float(inner.sum() / mask.sum())


def into_window(logits: torch.Tensor, window: Window, shape: Sequence[int]) -> torch.Tensor:
    """Coarse logits (N, d, h, w) of a case of (D, H, W) voxels -> the same grid over a window."""
    for axis, (span, length) in enumerate(zip(window, shape, strict=True)):
        cells = logits.shape[1 + axis]
        inside: Span = (span[0] * cells / length, span[1] * cells / length)
        matrix = axis_matrix(cells, cells, inside).to(logits)
        logits = torch.tensordot(logits, matrix, dims=([1 + axis], [1])).movedim(-1, 1 + axis)
    return logits.contiguous()


def _share_windows(
    windows: Sequence[tuple[int, Shares]], shape: Sequence[int], thin: bool
) -> list[Look]:
    """Looks at few windows instead of one for every prompt."""
    much = [number for number, window in windows if _volume(window) > WORTHWHILE]
    boxes = [([number], window) for number, window in windows if number not in much]
    looks = []
    for members, box in _merge(boxes):
        if _volume(box) > WORTHWHILE:
            much += members
        else:
            low, high = (box * np.asarray(shape, float)[:, None]).T.tolist()
            z, y, x = zip(low, high, strict=True)
            looks.append(Look(tuple(members), (z, y, x), thin))
    if much:
        everything = (0.0, shape[0]), (0.0, shape[1]), (0.0, shape[2])
        looks.append(Look(tuple(sorted(much)), everything, thin))
    return looks


def _shares(positive: np.ndarray) -> Shares | None:
    """(3, 2) shares of the axes, from the first to behind the last positive cell."""
    box = bounding_box(positive)
    sizes = np.array(positive.shape)[:, None]
    return box and np.array([(part.start, part.stop) for part in box]) / sizes


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
