"""What was asked for, beside what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from evaluate.bench.contest import Contest, Setting, compete
from evaluate.bench.plan import Plan
from predict.defaults import DEFAULT_BUNDLE

MOST_TIMES_FLOOR = (2.0, 2.6)
NETWORK_AND_LABELS = ("resize", "encode", "text", "decode", "labels")


@dataclass(frozen=True, kw_only=True)
class Target:
    """One line.

    Attributes:
        name: What is measured, with its size.
        most: The most that was asked for.
        measured: What came out.
        unit: Of both.
    """

    name: str
    most: float
    measured: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether the figure is good enough."""
        return self.measured <= self.most


def check_targets(plan: Plan, setting: Setting, main: Sequence[Contest]) -> list[Target]:
    """Measure what the main contests leave open, and list all targets.

    Args:
        plan: Sizes.
        setting: With the bundle under test; the ordinary case takes the default one.
        main: Contests of the plan's main workloads, in its order.
    """
    alone = replace(setting, reference=None)
    large = compete(plan.large, alone)
    folder = compete(plan.folder, alone)
    ordinary = compete(plan.asked_for(plan.ordinary_prompts), replace(alone, bundle=DEFAULT_BUNDLE))
    return [*_main_targets(plan, main), *_further_targets(large, folder, ordinary)]


def _main_targets(plan: Plan, main: Sequence[Contest]) -> list[Target]:
    first, last = main
    more = plan.prompts[1] - plan.prompts[0]
    growth = (last.product.peak_memory_mb - first.product.peak_memory_mb) / more
    ratios = [
        Target(name=f"{contest.name}: times the floor", most=most, measured=contest.ratio, unit="x")
        for contest, most in zip(main, MOST_TIMES_FLOOR, strict=True)
    ]
    return [
        *ratios,
        Target(
            name=f"{last.name}: peak memory",
            most=1500,
            measured=last.product.peak_memory_mb,
            unit="MB",
        ),
        Target(name="growth per further prompt", most=10, measured=growth, unit="MB"),
        Target(
            name="start (interpreter, imports, weights) over interpreter and torch",
            most=1.6,
            measured=last.product.start / last.floor.start,
            unit="x",
        ),
    ]


def _further_targets(large: Contest, folder: Contest, ordinary: Contest) -> list[Target]:
    targets = [
        Target(
            name=f"{large.name}: peak memory",
            most=3000,
            measured=large.product.peak_memory_mb,
            unit="MB",
        ),
        Target(
            name=f"{folder.name}: after the start, times the slowest stages",
            most=1.15,
            measured=folder.product.folder_ratio,
            unit="x",
        ),
        Target(
            name=f"{ordinary.name}, default bundle: whole process",
            most=8,
            measured=ordinary.product.seconds,
            unit="s",
        ),
    ]
    if ordinary.machine["device"] != "cpu":
        stages = ordinary.product.stages()
        targets.append(
            Target(
                name=f"{ordinary.name}, default bundle: network and labels",
                most=0.5,
                measured=sum(median(stages[stage]) for stage in NETWORK_AND_LABELS),
                unit="s",
            )
        )
    return targets
