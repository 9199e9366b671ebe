from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from predict.resample import Window, axis_matrix
from predict.second_look import (
    LEAST_SHARE,
    MOST_STRETCH,
    MOST_WINDOWS,
    WORTHWHILE,
    Look,
    inner_share,
    into_window,
    plan_looks,
)

SHAPE = (100, 200, 300)
GRID = (20, 20, 20)
INPUT = (40, 40, 40)
Cells = tuple[slice, slice, slice]


def cells(z: int, y: int, x: int, size: int = 2) -> Cells:
    return slice(z, z + size), slice(y, y + size), slice(x, x + size)


def logits_of(*found: Cells | None) -> torch.Tensor:
    logits = torch.full((len(found), *GRID), -1.0)
    for channel, box in zip(logits, found, strict=True):
        if box is not None:
            channel[box] = 1.0
    return logits


def shares(window: Window) -> np.ndarray:
    return np.array(window) / np.array(SHAPE)[:, None]


def test_a_small_object_gets_a_window_around_it() -> None:
    (look,) = plan_looks(logits_of(cells(9, 9, 9)), SHAPE, INPUT)
    assert look.members == (0,)
    assert look.window is not None
    np.testing.assert_allclose(shares(look.window), [[0.35, 0.65]] * 3)


def test_at_a_border_the_window_keeps_its_size_inside() -> None:
    (look,) = plan_looks(logits_of(cells(0, 18, 9)), SHAPE, INPUT)
    assert look.window is not None
    np.testing.assert_allclose(shares(look.window), [[0, 0.3], [0.7, 1], [0.35, 0.65]])


def test_nothing_found_and_much_found_are_refined_on_the_whole() -> None:
    everything = (slice(0, 20), slice(0, 20), slice(0, 20))
    looks = plan_looks(logits_of(None, cells(9, 9, 9), everything), SHAPE, INPUT)
    assert looks[0] == Look((0,), None)
    assert looks[1] == Look((2,), ((0, 100), (0, 200), (0, 300)))
    assert looks[2].members == (1,)


def test_neighbours_share_a_window_and_far_ones_do_not() -> None:
    looks = plan_looks(logits_of(cells(4, 4, 4), cells(16, 16, 16), cells(5, 5, 4)), SHAPE, INPUT)
    assert sorted(look.members for look in looks) == [(0, 2), (1,)]


def test_an_elongated_object_is_not_stretched_much() -> None:
    (look,) = plan_looks(logits_of((slice(0, 15), slice(9, 11), slice(9, 11))), SHAPE, INPUT)
    assert look.window is not None
    extent = np.diff(shares(look.window))
    assert extent.max() / extent.min() == pytest.approx(MOST_STRETCH)


@given(
    st.lists(
        st.tuples(*(st.integers(0, 18) for _ in range(3)), st.integers(1, 6)),
        min_size=1,
        max_size=14,
    )
)
def test_every_prompt_is_looked_at_once_with_all_that_was_found(
    found: list[tuple[int, int, int, int]],
) -> None:
    boxes = [cells(z, y, x, size) for z, y, x, size in found]
    logits = logits_of(*boxes)
    looks = plan_looks(logits, SHAPE, INPUT)
    assert sorted(m for look in looks for m in look.members) == list(range(len(found)))
    assert len(looks) <= MOST_WINDOWS + 1
    for look in looks:
        if look.window is None:
            continue
        part = shares(look.window)
        extent = np.diff(part)[:, 0]
        assert (part >= 0).all()
        assert (part <= 1 + 1e-9).all()
        assert extent.min() >= LEAST_SHARE - 1e-9
        assert extent.prod() <= WORTHWHILE
        for member in look.members:
            for axis, (low, high) in enumerate(part):
                positive = (logits[member] > 0).numpy().any(axis=tuple({0, 1, 2} - {axis}))
                occupied = np.flatnonzero(positive)
                assert low <= occupied[0] / 20 + 1e-9
                assert high >= (occupied[-1] + 1) / 20 - 1e-9


def test_coarse_logits_are_interpolated_into_the_window() -> None:
    logits = torch.randn(2, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    everything = ((0.0, 8.0), (0.0, 10.0), (0.0, 12.0))
    torch.testing.assert_close(into_window(logits, everything, (8, 10, 12)), logits)
    part = into_window(logits, ((2.0, 6.0), (0.0, 10.0), (3.0, 9.0)), (8, 10, 12))
    assert part.shape == logits.shape
    z, x = axis_matrix(4, 4, (1, 3)), axis_matrix(6, 6, (1.5, 4.5))
    expected = torch.einsum("nzyx,az,bx->nayb", logits, z, x)
    torch.testing.assert_close(part, expected)


def test_thin_and_compact_targets_are_told_apart_and_never_share_a_window() -> None:
    sheet = (slice(4, 12), slice(5, 6), slice(4, 12))
    looks = plan_looks(logits_of(cells(4, 4, 4, 12), sheet), SHAPE, INPUT)
    assert {look.members: look.thin for look in looks} == {(0,): False, (1,): True}


def test_the_inner_share_by_hand() -> None:
    mask = np.zeros((7, 7, 7), bool)
    mask[1:6, 1:6, 1:6] = True
    assert inner_share(mask) == pytest.approx(27 / 125)
    assert inner_share(np.ones((3, 4, 5), bool)) == 1
    mask[:] = False
    mask[:, 1:6, 1:6] = True  # goes on beyond the border
    assert inner_share(mask) == pytest.approx(9 / 25)


def test_where_there_is_nothing_finer_to_see_there_are_no_windows() -> None:
    logits = logits_of(cells(9, 9, 9), None)
    (look,) = plan_looks(logits, (50, 50, 59), INPUT)
    assert look == Look((0, 1), None)
    assert len(plan_looks(logits, (50, 50, 60), INPUT)) == 2
