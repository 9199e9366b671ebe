"""Keep a case within its time: what can still be afforded is told from what stages took here.

The coarse look at all prompts is always made. Refinements are asked for one look and one batch at a
time, those first that give most for their time; what no longer fits before drawing and writing the
mask is left out. The order of work, and so of what is dropped (its reverse), is that of
:func:`by_worth`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from predict.second_look import Look

SECONDS_PER_CLASS = 60.0
CAUTION = 1.25  # stages vary
UNPLANNED_SHARE = 0.05  # of the budget
END_OF_START = 0.4  # reporting and leaving the process, as a share of starting it
OVERHEAD_VOXELS = 2e6  # what is done once per case takes as long as so many voxels
LEAST_SECONDS_PER_VOXEL = 1e-8  # of a stage not seen yet
STAGE_OF_READ = 3.0  # the same, of the seconds that reading took


@dataclass
class StageTimes:
    """Seconds per unit of each stage in this process, over all cases: slower ones count at once."""

    seconds: dict[str, float] = field(default_factory=dict)

    def observe(self, stage: str, units: float, seconds: float) -> None:
        """Note what so many units of a stage took."""
        now = seconds / max(units, 1)
        before = self.seconds.get(stage, now)
        self.seconds[stage] = max(now, (before + now) / 2)

    def estimate(self, stage: str, units: float) -> float:
        """Seconds that so many units of a stage will take; 0 for one never seen."""
        return units * self.seconds.get(stage, 0.0)


class Governor:
    """The time of one case.

    Attributes:
        budget: Seconds, from the start of the case (the first one's: of the process); infinite for
            no limit.
        classes: Of the case.
        times: What stages took, kept over cases by who makes the governor.
    """

    def __init__(
        self,
        budget: float,
        times: StageTimes,
        *,
        voxels: int,
        classes: int,
        instance: bool = False,
        spent: float = 0.0,
        ending: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the clock, which must not jump.

        Args:
            budget: Seconds.
            times: What stages took so far in this process.
            voxels: Of the case.
            classes: Of the case.
            instance: Whether objects are told apart.
            spent: Seconds of the budget that are gone already.
            ending: Seconds of the budget that are needed after the case.
            clock: Seconds, from anywhere.
        """
        self.budget, self.times = budget, times
        self.classes = classes
        self._voxels = voxels + OVERHEAD_VOXELS
        self._drawing = "objects" if instance else "labels"
        self._ending = ending
        self._refused, self._uncut = False, 0
        self._clock = clock
        self._start = clock() - spent

    def observe(self, stage: str, seconds: float) -> None:
        """Note what a stage took that goes over all voxels: ``read``, ``labels`` or ``write``."""
        self.times.observe(*self._units(stage), seconds)

    def left(self) -> float:
        """Seconds that can be spent on looking closer, before the mask must be drawn."""
        usable = self.budget * (1 - UNPLANNED_SHARE)
        return usable - CAUTION * self.reserve() - (self._clock() - self._start)

    def reserve(self) -> float:
        """Seconds that drawing and writing the mask will take.

        As long as they were not seen, they are told from the seconds that reading took, which
        suffers from the same slowness.
        """
        unseen = self._unseen()
        stages = (self.times.estimate(*self._units(stage)) for stage in ("labels", "write"))
        return self._ending + sum(seconds or unseen for seconds in stages)

    def _unseen(self) -> float:
        read = self.times.estimate(*self._units("read"))
        return max(STAGE_OF_READ * read, LEAST_SECONDS_PER_VOXEL * self._voxels)

    def _units(self, stage: str) -> tuple[str, float]:
        """Own name of a stage and how many units the case has of it."""
        if stage == "labels":
            return self._drawing, self._voxels * self.classes
        return stage, self._voxels

    def affordable(self, prompts: int, *, passes: int, windows: int = 0) -> int:
        """How many of the prompts can be refined.

        Args:
            prompts: How many are asked for; one seen in two windows counts twice.
            passes: Refinements of each.
            windows: Encodings of the image that this needs before.
        """
        if passes == 0 or math.isinf(self.budget):
            return prompts
        encode = self.times.estimate("encode", windows)
        each = CAUTION * self.times.estimate("decode", passes)
        rest = self.left() - CAUTION * encode
        if rest > 0 and each * prompts <= rest:
            return prompts
        self._refused = True
        return int(rest / each) if rest > 0 else 0

    def may_cut(self) -> bool:
        """Whether there is time to cut one more object where it touches others."""
        write = self.times.estimate(*self._units("write")) or self._unseen()
        needed = CAUTION * (self._ending + write)
        if self._clock() - self._start + needed <= self.budget * (1 - UNPLANNED_SHARE):
            return True
        self._uncut += 1
        return False

    def dropped(self, prompts: int) -> tuple[str, ...]:
        """What to report of so many prompts that were not refined; nothing for none."""
        if not prompts:
            return ()
        line = f"{prompts} of {self.classes} prompts keep their coarse mask"
        return (f"time: {line} (limit {self.budget:g} s)" if self._refused else line,)

    def remarks(self) -> tuple[str, ...]:
        """What to report at the end of the case; nothing if all was done in time."""
        gone = self._clock() - self._start
        lines = []
        if self._uncut:
            lines.append(f"time: {self._uncut} objects were not cut where they may touch others")
        if gone > self.budget:
            lines.append(f"time: {gone:.0f} s, limit {self.budget:g} s")
        return tuple(lines)


def by_worth(looks: Sequence[Look]) -> list[Look]:
    """The looks in the order in which they are made.

    First those at the whole case, which need no further encoding of the image; then the windows,
    those with most prompts first. What is made last is dropped first.
    """
    return sorted(looks, key=lambda look: (look.window is not None, -len(look.members)))
