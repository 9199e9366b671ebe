"""Draw labels within memory: smaller slabs, then on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from predict.exhaustion import is_exhaustion
from predict.free_memory import free_memory
from predict.labels import Shape3d, View, default_slab_bytes, fuse_labels
from predict.memory import LEAST_SLAB_BYTES, cpu_slab


def draw_labels(views: Sequence[View], shape: Shape3d) -> tuple[np.ndarray, tuple[str, ...]]:
    """Semantic labels as of :func:`fuse_labels`, with less at once where memory runs out.

    Returns:
        (D, H, W) uint8 labels, and what was done for want of memory, one line each.

    Raises:
        MemoryError: Not even small slabs fit on the CPU.
    """
    warnings: list[str] = []
    slab_bytes = default_slab_bytes(views)
    if not views or views[0].logits.device.type == "cpu":
        slab_bytes = min(slab_bytes, cpu_slab(free_memory().bytes))
    while True:
        labels = _attempt(views, shape, slab_bytes)
        if labels is not None:
            return labels, tuple(warnings)
        if slab_bytes > LEAST_SLAB_BYTES:
            slab_bytes //= 2
        elif views and views[0].logits.device.type != "cpu":
            views = [replace(view, logits=view.logits.cpu()) for view in views]
            warnings = ["the GPU's memory ran out while masks were drawn: done on the CPU"]
        else:
            raise MemoryError("memory ran out while masks were drawn")


def _attempt(views: Sequence[View], shape: Shape3d, slab_bytes: int) -> np.ndarray | None:
    try:
        return fuse_labels(views, shape, slab_bytes)
    except (RuntimeError, MemoryError) as error:
        if not is_exhaustion(error):
            raise
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None
