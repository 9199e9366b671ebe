"""How time and memory grow with prompts, voxels and cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evaluate.bench.contest import Contest, Setting, compete
from evaluate.bench.plan import Plan
from evaluate.bench.plot import Panel, draw_panels


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Contests that differ in one size.

    Attributes:
        grows: What that is.
        sizes: Its values, rising.
        contests: One for each.
    """

    grows: str
    sizes: Sequence[float]
    contests: Sequence[Contest]


def measure_scaling(plan: Plan, setting: Setting) -> list[Sweep]:
    """Measure every sweep of a plan, without the reference."""
    alone = replace(setting, reference=None)
    sweeps = []
    for grows, points in plan.sweeps().items():
        contests = [compete(workload, alone) for _, workload in points]
        sweeps.append(Sweep(grows=grows, sizes=[size for size, _ in points], contests=contests))
    return sweeps


def draw_scaling(sweeps: Sequence[Sweep]) -> str:
    """An SVG document: a column per sweep, seconds above peak memory."""
    return draw_panels(
        [
            [_panel(sweep, "seconds", "seconds") for sweep in sweeps],
            [_panel(sweep, "peak memory, MB", "peak_memory_mb") for sweep in sweeps],
        ]
    )


def _panel(sweep: Sweep, title: str, attribute: str) -> Panel:
    return Panel(
        title=title,
        label=sweep.grows,
        xs=sweep.sizes,
        lines={
            "floor": [getattr(contest.floor, attribute) for contest in sweep.contests],
            "product": [getattr(contest.product, attribute) for contest in sweep.contests],
        },
    )
