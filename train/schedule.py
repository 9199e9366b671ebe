"""Where a run stands, and what follows from it: the share that is done and the learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from train.config import LengthConfig

FIRST_RATE = 0.01


@dataclass
class Progress:
    """Where a run stands, over all of its parts.

    Attributes:
        step: Optimiser steps done.
        seconds: Time spent on them.
        best_dice: Best mean Dice of a validation so far.
        validated: Step of the last validation.
    """

    step: int = 0
    seconds: float = 0.0
    best_dice: float = -1.0
    validated: int = -1


@dataclass(frozen=True)
class Schedule:
    """A run's length in steps or seconds, one of which is set, and its warm-up as a share."""

    warmup: float
    steps: int | None = None
    seconds: float | None = None

    @classmethod
    def plan(
        cls, length: LengthConfig, warmup: float, *, pairs: int, prompts_per_step: float
    ) -> Schedule:
        """Plan a run.

        Args:
            length: In steps, minutes or epochs.
            warmup: Share of the run.
            pairs: Pairs of a case and one of its classes: the prompts of an epoch.
            prompts_per_step: Prompts that a step asks on average.
        """
        if length.minutes is not None:
            return cls(warmup, seconds=60 * length.minutes)
        if length.steps is not None:
            return cls(warmup, steps=length.steps)
        assert length.epochs is not None
        return cls(warmup, steps=max(1, math.ceil(length.epochs * pairs / prompts_per_step)))

    def share(self, progress: Progress) -> float:
        """How much of the run is done, 0..1 and beyond."""
        if self.steps is not None:
            return progress.step / self.steps
        assert self.seconds is not None
        return progress.seconds / self.seconds

    def rate(self, share: float) -> float:
        """Factor of the peak learning rate: linear warm-up, then cosine to zero."""
        if share < self.warmup:
            return max(share / self.warmup, FIRST_RATE)
        done = (share - self.warmup) / (1 - self.warmup) if self.warmup < 1 else 0.0
        return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
