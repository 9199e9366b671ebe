"""Sizes that are known before anything is allocated."""

from __future__ import annotations

import math
from collections.abc import Sequence

from predict.errors import CaseError
from predict.npz import default_limit

BYTES_OF_A_VOXEL = 8


def check_size(size: Sequence[int], components: int = 1) -> None:
    """Refuse what is not one 3D image, or would not fit into memory.

    Args:
        size: Length of each axis, (x, y, z) first.
        components: Values of a voxel.

    Raises:
        CaseError: Which of these it is.
    """
    times = " x ".join(str(length) for length in size)
    if components != 1:
        raise CaseError(f"expected one value per voxel, received {components} (colour or vectors)")
    if len(size) < 3:
        raise CaseError(f"expected three axes, received {len(size)} ({times})")
    if min(size) < 1:
        raise CaseError(f"expected voxels, received an empty image ({times})")
    if math.prod(size[3:]) != 1:
        raise CaseError(
            f"expected one 3D image, received {len(size)} axes ({times}): "
            "save the time point, channel or echo you want as a file of its own"
        )
    bound, limit = math.prod(size) * BYTES_OF_A_VOXEL, default_limit()
    if bound > limit:
        raise CaseError(f"{times} voxels need up to {bound} bytes, at most {limit} are accepted")
