from __future__ import annotations

from math import prod

from evaluate.bench.plan import QUICK, Plan


def test_the_sizes_that_were_asked_for() -> None:
    plan = Plan()
    assert [case.name for case in plan.main()] == [
        "8 prompts, 200x512x512",
        "16 prompts, 200x512x512",
    ]
    assert plan.large.name == "64 prompts, 600x512x512"
    assert plan.folder.cases == 32
    assert prod(plan.shape) < 100e6
    sweeps = plan.sweeps()
    assert [size for size, _ in sweeps["prompts"]] == [1, 2, 4, 8, 16, 32, 64]
    assert [size for size, _ in sweeps["cases in a folder"]] == [1, 2, 4, 8, 16, 32]
    voxels = [case.shape for _, case in sweeps["million voxels"]]
    assert voxels[0] == (64, 64, 64)
    assert voxels[-1] == (600, 512, 512)


def test_sizes_rise_in_every_sweep() -> None:
    for plan in (Plan(), QUICK):
        for points in plan.sweeps().values():
            sizes = [size for size, _ in points]
            assert sizes == sorted(set(sizes))


def test_quick_is_small() -> None:
    cases = [case for points in QUICK.sweeps().values() for _, case in points]
    for case in (*cases, *QUICK.main(), QUICK.large, QUICK.folder):
        assert prod(case.shape) * case.cases < 1e6
