"""Dice similarity coefficient (DSC) of labels, from their voxel counts."""

from __future__ import annotations

from evaluate.overlap import Overlap


def dice(predicted: int, true: int, shared: int) -> float:
    """2|A and B| / (|A| + |B|) from three voxel counts; 1 if both are empty."""
    total = predicted + true
    return 2 * shared / total if total else 1.0


def class_dice(overlap: Overlap, class_id: int) -> float:
    """DSC of one class."""
    return dice(*overlap.sizes(class_id))


def foreground_dice(overlap: Overlap) -> float:
    """DSC of everything labelled, ids aside: how well the objects are found as one mask."""
    return dice(
        int(overlap.predicted_voxels.sum()),
        int(overlap.true_voxels.sum()),
        int(overlap.shared.sum()),
    )
