from __future__ import annotations

import numpy as np
import pytest
import torch

from predict.replay import Replayed, count_differences, format_replay, use_threads


def test_differences_are_counted_by_hand() -> None:
    before = np.array([[[0, 1, 1, 2, 2, 2]]], np.uint8)
    after = np.array([[[0, 1, 2, 2, 2, 5]]], np.uint8)
    voxels, dice = count_differences(before, after, instance=False)
    assert voxels == 2
    assert dice == {1: 2 * 1 / (2 + 1), 2: 2 * 2 / (3 + 3), 5: 0.0}
    assert count_differences(before, before, instance=False) == (0, {})


def test_of_instances_the_foreground_counts() -> None:
    before = np.array([[[0, 1, 1, 2]]], np.uint8)
    assert count_differences(before, np.array([[[0, 2, 2, 1]]]), instance=True) == (3, {1: 1.0})
    assert count_differences(before, np.array([[[0, 1, 1, 0]]]), instance=True) == (1, {1: 0.8})


@pytest.mark.parametrize(
    ("case", "tolerance", "good"),
    [
        (Replayed("a", "identical"), 0, True),
        (Replayed("a", "not recorded"), 0, True),
        (Replayed("a", "input changed"), 1e6, False),
        (Replayed("a", "input missing"), 1e6, False),
        (Replayed("a", "differs", 2, 1_000_000), 0, False),
        (Replayed("a", "differs", 2, 1_000_000), 2, True),
        (Replayed("a", "differs", detail="the mask is gone"), 1e6, False),
    ],
)
def test_what_is_good(case: Replayed, tolerance: float, good: bool) -> None:
    assert case.good(tolerance) is good


def test_a_line_says_all() -> None:
    lines = format_replay(
        [
            Replayed("a.npz", "identical", 0),
            Replayed("bb.npz", "differs", 3, 2_000_000, {1: 0.99995, 4: 0.5}),
            Replayed("c.npz", "input missing", detail="expected /in/c.npz"),
        ]
    ).splitlines()
    assert lines == [
        "a.npz   identical",
        "bb.npz  differs by 3 of 2000000 voxels (1.5 per million); Dice 1: 1.0000, 4: 0.5000",
        "c.npz   input missing: expected /in/c.npz",
    ]


@pytest.mark.parametrize("odd", [None, "2", 0, -1, 10**9])
def test_threads_are_those_of_then_and_given_back(odd: object) -> None:
    before = torch.get_num_threads()
    with use_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    with use_threads(odd):
        assert torch.get_num_threads() == before
    assert torch.get_num_threads() == before
