"""Which sizes are measured: those of the targets, and small ones to try the command with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from evaluate.bench.cases import Synthetic
from evaluate.bench.shape import Shape

MAIN = Shape(200, 512, 512)
LARGE = Synthetic(shape=Shape(600, 512, 512), prompts=64)
FOLDER = Synthetic(shape=Shape(96, 256, 256), prompts=4, cases=32)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Sizes; the defaults are those that the targets speak of.

    Attributes:
        shape: Of the main volume.
        prompts: How many it is asked for, one contest each.
        large: The case for peak memory.
        folder: The cases that are timed together; the growth with cases is seen with such ones.
        ordinary_prompts: What the default bundle is asked for in the main volume.
        prompt_counts: Of the main volume, to see the growth with prompts.
        shapes: To see the growth with voxels.
        shape_prompts: Of each of those.
        case_counts: To see the growth with cases.
    """

    shape: Shape = MAIN
    prompts: Sequence[int] = (8, 16)
    large: Synthetic = LARGE
    folder: Synthetic = FOLDER
    ordinary_prompts: int = 4
    prompt_counts: Sequence[int] = (1, 2, 4, 8, 16, 32, 64)
    shapes: Sequence[Shape] = (
        Shape(64, 64, 64),
        Shape(128, 128, 128),
        Shape(100, 256, 256),
        Shape(100, 512, 512),
        Shape(200, 512, 512),
        Shape(600, 512, 512),
    )
    shape_prompts: int = 4
    case_counts: Sequence[int] = (1, 2, 4, 8, 16, 32)

    def main(self) -> list[Synthetic]:
        """The cases that ratios to the floor are told of."""
        return [self.asked_for(count) for count in self.prompts]

    def asked_for(self, prompts: int) -> Synthetic:
        """The main volume with a number of prompts."""
        return Synthetic(shape=self.shape, prompts=prompts)

    def sweeps(self) -> dict[str, list[tuple[float, Synthetic]]]:
        """What grows -> its value and the workload, for every point."""
        small = self.folder
        return {
            "prompts": [(count, self.asked_for(count)) for count in self.prompt_counts],
            "million voxels": [
                (prod(shape) / 1e6, Synthetic(shape=shape, prompts=self.shape_prompts))
                for shape in self.shapes
            ],
            "cases in a folder": [
                (count, Synthetic(shape=small.shape, prompts=small.prompts, cases=count))
                for count in self.case_counts
            ],
        }


QUICK = Plan(
    shape=Shape(32, 64, 64),
    prompts=(2, 4),
    large=Synthetic(shape=Shape(48, 96, 96), prompts=8),
    folder=Synthetic(shape=Shape(16, 32, 32), prompts=2, cases=3),
    ordinary_prompts=2,
    prompt_counts=(1, 4),
    shapes=(Shape(16, 32, 32), Shape(32, 64, 64)),
    shape_prompts=2,
    case_counts=(1, 2),
)
