from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from predict.resample import Window
from predict.second_look import into_window
from predict.tiles import LEAST_SHARE, MOST_SHRINK, MOST_TILES, OVERLAP, plan_tiles, stitch

GRID = (32, 48, 48)


def whole(shape: tuple[int, int, int]) -> Window:
    return (0.0, shape[0]), (0.0, shape[1]), (0.0, shape[2])


def test_what_is_hardly_finer_than_the_grid_is_one_tile() -> None:
    window = whole((40, 70, 72))
    assert plan_tiles(window, (40, 70, 72), GRID) == [window]


def test_only_axes_that_are_much_finer_are_cut() -> None:
    shape = (20, 130, 60)
    tiles = plan_tiles(whole(shape), shape, GRID)
    assert [tile[1] for tile in tiles] == [(0, 52), (39, 91), (78, 130)]
    assert {(tile[0], tile[2]) for tile in tiles} == {((0, 20), (0, 60))}


@given(st.tuples(*(st.integers(1, 900) for _ in range(3))))
def test_tiles_cover_overlap_and_are_neither_small_nor_many(shape: tuple[int, int, int]) -> None:
    tiles = plan_tiles(whole(shape), shape, GRID)
    assert 1 <= len(tiles) <= MOST_TILES
    for axis, length in enumerate(shape):
        spans = sorted({tile[axis] for tile in tiles})
        assert spans[0][0] == 0
        assert spans[-1][1] == pytest.approx(length)
        extents = {round(stop - start, 6) for start, stop in spans}
        assert len(extents) == 1
        assert min(extents) >= 0.6 * min(
            length, max(MOST_SHRINK * GRID[axis], LEAST_SHARE * length)
        )
        for (_, end), (start, _) in itertools.pairwise(spans):
            assert end - start == pytest.approx(OVERLAP * min(extents), abs=1e-4)


def test_tiles_of_a_smooth_field_give_that_field_back() -> None:
    shape = (40, 150, 96)
    z, y, x = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in (16, 24, 24)), indexing="ij")
    field = (2 * z + y - 3 * x)[None]
    tiles = plan_tiles(whole(shape), shape, GRID)
    assert len(tiles) > 2
    joined = stitch([into_window(field, tile, shape) for tile in tiles], tiles, whole(shape))
    assert all(
        math.isclose(n, cells, rel_tol=0.4) or n > cells
        for n, cells in zip(joined.shape[1:], field.shape[1:], strict=True)
    )
    back = torch.nn.functional.interpolate(joined[None], field.shape[1:], mode="trilinear")[0]
    inner = (slice(None), *(slice(2, -2),) * 3)
    torch.testing.assert_close(back[inner], field[inner], atol=0.05, rtol=0)


def test_where_tiles_disagree_the_nearer_middle_counts_more() -> None:
    window: Window = ((0.0, 10.0), (0.0, 10.0), (0.0, 70.0))
    tiles: list[Window] = [
        (window[0], window[1], (0.0, 40.0)),
        (window[0], window[1], (30.0, 70.0)),
    ]
    left, right = torch.zeros(1, 2, 2, 8), torch.ones(1, 2, 2, 8)
    row = stitch([left, right], tiles, window)[0, 0, 0]
    assert len(row) == 14
    assert row[:6].tolist() == [0] * 6
    assert row[8:].tolist() == [1] * 6
    assert row[6] == pytest.approx(0.25)
    assert row[7] == pytest.approx(0.75)


def test_one_tile_is_handed_through() -> None:
    window = whole((4, 4, 4))
    logits = torch.rand(2, 3, 3, 3)
    assert stitch([logits], [window], window) is logits
