"""Size of a volume."""

from __future__ import annotations

from typing import NamedTuple


class Shape(NamedTuple):
    """Voxels along (D, H, W)."""

    depth: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.depth}x{self.height}x{self.width}"
