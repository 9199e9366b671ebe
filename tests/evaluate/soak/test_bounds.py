from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from evaluate.soak.bounds import Finding, judge
from evaluate.soak.cases import plan_cases
from evaluate.soak.watch import Sample

PLAN = plan_cases(400)
STATUSES = {p.name: "failed" if p.fault else "ok" for p in PLAN}
OUTPUTS = [p.name for p in PLAN]
FLAT = [Sample(i * 0.2, i, i * 0.1, 500.0, 9, 4) for i in range(421)]


def findings(samples: Sequence[Sample], left: Sequence[str] = ()) -> dict[str, Finding]:
    return {f.what.split(",")[0]: f for f in judge(PLAN, STATUSES, OUTPUTS, samples, left)}


def broken(samples: Sequence[Sample], left: Sequence[str] = ()) -> set[str]:
    return {what for what, finding in findings(samples, left).items() if not finding.held}


def test_a_flat_run_keeps_every_bound() -> None:
    assert broken(FLAT) == set()
    assert findings(FLAT)["CPU time"].measured.startswith("+0.0% (10.0, 10.0, 10.0, 10.0 s")


@pytest.mark.parametrize(("growth", "held"), [(0.04, True), (0.06, False)])
def test_memory_may_grow_a_little(growth: float, held: bool) -> None:
    """Growth over three quarters as a share of the median."""
    rise = [replace(s, rss_mb=500 * (1 + growth * (s.done - 270) / 300)) for s in FLAT]
    assert broken(rise) == (set() if held else {"memory over the last three quarters"})


def test_memory_that_goes_up_and_down_with_the_shapes_is_flat() -> None:
    waves = [replace(s, rss_mb=500 + 100 * (s.done % 7)) for s in FLAT]
    assert broken(waves) == set()


@pytest.mark.parametrize(("field", "what"), [("files", "open files"), ("threads", "threads")])
def test_a_leak_is_seen_although_the_number_varies(field: str, what: str) -> None:
    varying = [replace(s, **{field: 9 + s.done % 3}) for s in FLAT]
    leaking = [replace(s, **{field: 9 + s.done % 3 + s.done // 200}) for s in FLAT]
    assert broken(varying) == set()
    assert broken(leaking) == {what}


def test_a_run_that_slows_down_is_seen() -> None:
    slower = [replace(s, cpu_seconds=s.cpu_seconds + max(0, s.done - 320) * 0.006) for s in FLAT]
    assert broken(slower) == {"CPU time"}
    assert findings(slower)["CPU time"].measured.startswith("+6.0%")


def test_a_slow_start_is_no_drift() -> None:
    warm = [replace(s, cpu_seconds=s.cpu_seconds + min(s.done, 15)) for s in FLAT]
    assert broken(warm) == set()


def test_what_is_left_behind_is_seen() -> None:
    assert broken(FLAT, [".0.partial"]) == {"temporary files"}


def test_a_case_that_ends_otherwise_than_planned_is_named() -> None:
    name = next(p.name for p in PLAN if p.fault)
    finding = judge(PLAN, {**STATUSES, name: "ok"}, OUTPUTS, FLAT, [])[0]
    assert not finding.held
    assert finding.measured == f"1 otherwise, first {name}"


def test_a_run_that_was_not_watched_keeps_nothing() -> None:
    assert broken(FLAT[:300]) == {"every quarter is seen"}
