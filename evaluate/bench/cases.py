"""Synthetic cases of any size, and the product's masks in a form that costs nothing to read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from evaluate.bench.shape import Shape

GRIDS = ((16, 129), (4, 97), (1, 32))


class Workload(Protocol):
    """Cases to measure with."""

    @property
    def name(self) -> str:
        """What tables call them."""
        ...

    def inputs(self, folder: Path) -> Path:
        """Folder that holds them: the given new one, into which they are written, or another."""
        ...


@dataclass(frozen=True, kw_only=True)
class Synthetic:
    """Cases that are made when they are needed.

    Attributes:
        shape: Of every volume.
        prompts: Of every case.
        cases: How many.
    """

    shape: Shape
    prompts: int
    cases: int = 1

    @property
    def name(self) -> str:
        """See Workload."""
        counted = "" if self.cases == 1 else f"{self.cases} cases, "
        return f"{counted}{self.prompts} prompt{'s' * (self.prompts > 1)}, {self.shape}"

    def inputs(self, folder: Path) -> Path:
        """See Workload; every volume is another one."""
        folder.mkdir()
        for i in range(self.cases):
            write_case(folder / f"case_{i:03}.npz", self.shape, self.prompts, seed=i)
        return folder


@dataclass(frozen=True)
class OwnCases:
    """A folder of NAME.npz in the challenge's layout."""

    folder: Path

    @property
    def name(self) -> str:
        """See Workload."""
        return self.folder.name

    def inputs(self, folder: Path) -> Path:  # noqa: ARG002
        """See Workload."""
        return self.folder


def make_volume(shape: Shape, seed: int) -> np.ndarray:
    """(D, H, W) uint8: random blocks of 16 and of 4 voxels a side, and noise in every voxel.

    The noise makes deflate work as hard as on the worst of scans: hardly a byte is saved.
    """
    rng = np.random.default_rng(seed)
    volume = np.zeros(shape, np.uint8)
    for side, levels in GRIDS:
        grid = rng.integers(0, levels, [-(-n // side) for n in shape], dtype=np.uint8)
        for axis, length in enumerate(shape):
            grid = grid.repeat(side, axis).take(range(length), axis)
        volume += grid
    return volume


def write_case(path: Path, shape: Shape, prompts: int, seed: int = 0) -> None:
    """Write a case in the challenge's layout that asks for 1 to 255 things."""
    table: dict[str, object] = {
        str(i): f"segment organ number {i} in this abdominal CT" for i in range(1, prompts + 1)
    }
    np.savez_compressed(
        path,
        imgs=make_volume(shape, seed),
        spacing=np.array([0.8, 0.8, 2.5]),
        text_prompts=np.array({**table, "instance_label": 0}, dtype=object),
    )


def unpack_masks(outputs: Path, masks: Path) -> float:
    """Write MASKS/NAME.npy for every OUTPUTS/NAME.npz; returns the share of foreground."""
    found, voxels = 0, 0
    for path in sorted(outputs.glob("*.npz")):
        with np.load(path) as arrays:
            labels = arrays["segs"]
        np.save(masks / f"{path.stem}.npy", labels)
        found, voxels = found + int(np.count_nonzero(labels)), voxels + labels.size
    return found / max(1, voxels)
