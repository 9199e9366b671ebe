"""Separate objects that touch: a watershed from the thickest places of a mask.

Touching objects are told from one odd-shaped one by their neck: where it is thinner than both
sides by more than NECK, it is cut. The comparison is relative (the distance map's logarithm), so
that large and small objects are cut alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

NECK = 0.15
FEWEST_VOXELS = 64


def split_touching(mask: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Cut one connected object at its necks.

    Args:
        mask: (D, H, W) bool.
        spacing: Voxel size along the array's axes, in any unit.

    Returns:
        (D, H, W) int32: parts 1..n in C order of their thickest places, 0 outside of the mask.
    """
    if np.count_nonzero(mask) < FEWEST_VOXELS:
        return mask.astype(np.int32)
    import SimpleITK as sitk  # noqa: N813  (imported here: only instance cases need it)

    image = sitk.GetImageFromArray(np.pad(mask, 1).astype(np.uint8))
    image.SetSpacing([float(length) for length in reversed(spacing)])
    distance = sitk.SignedMaurerDistanceMap(
        image == 0, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    # Inside, the nearest background voxel is at least one spacing away.
    thickness = sitk.Log(sitk.Maximum(distance, min(spacing)))
    peaks = sitk.RegionalMaxima(sitk.HMaxima(thickness, -math.log1p(-NECK)), fullyConnected=True)
    seeds = sitk.ConnectedComponent(sitk.Mask(sitk.Cast(peaks, sitk.sitkUInt8), image), True)
    parts = sitk.MorphologicalWatershedFromMarkers(-thickness, seeds, markWatershedLine=False)
    inside = sitk.GetArrayViewFromImage(parts)[1:-1, 1:-1, 1:-1]
    return np.where(mask, inside, 0).astype(np.int32)
