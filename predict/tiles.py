"""Large windows in several looks, so that each is seen near its native resolution.

A window that is much finer than the network's grid is cut into overlapping tiles of equal size; the
tiles' answers are put together again, each fading out towards its border.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from predict.resample import Span, Window, axis_taps

MOST_SHRINK = 1.5
LEAST_SHARE = 0.25
OVERLAP = 0.25
MOST_TILES = 32
FAINTEST = 1e-3


def plan_tiles(window: Window, shape: Sequence[int], grid: Sequence[int]) -> list[Window]:
    """Tiles that cover a window.

    Along each axis a tile shrinks to the network's grid by MOST_SHRINK at most, unless it would
    see less than LEAST_SHARE of the case (the network was trained on no smaller views) or there
    would be more than MOST_TILES; neighbours overlap by OVERLAP at least.

    Args:
        window: Part of the case, in voxels.
        shape: (D, H, W) of the case.
        grid: (d, h, w) of the network's input.

    Returns:
        The tiles in order along (D, H, W); the window itself where one is enough.
    """
    shrink = MOST_SHRINK
    while True:
        spans = [
            _cut(span, max(shrink * cells, LEAST_SHARE * length))
            for span, length, cells in zip(window, shape, grid, strict=True)
        ]
        if math.prod(map(len, spans)) <= MOST_TILES:
            return [(z, y, x) for z in spans[0] for y in spans[1] for x in spans[2]]
        shrink *= 1.1


def stitch(
    answers: Sequence[torch.Tensor], tiles: Sequence[Window], window: Window
) -> torch.Tensor:
    """Logits of tiles -> logits on one grid over their window.

    Args:
        answers: (N, d, h, w) of every tile.
        tiles: As planned.
        window: What they cover.

    Returns:
        (N, d', h', w') with cells about as fine as those of the tiles.
    """
    if len(tiles) == 1:
        return answers[0]
    cells = answers[0].shape[1:]
    sizes = [
        round(n * (window[axis][1] - window[axis][0]) / (tiles[0][axis][1] - tiles[0][axis][0]))
        for axis, n in enumerate(cells)
    ]
    total = answers[0].new_zeros(len(answers[0]), *sizes)
    weights = answers[0].new_zeros(sizes)
    for logits, tile in zip(answers, tiles, strict=True):
        values, weight, place = logits, torch.ones((), device=logits.device), []
        for axis, (n, size) in enumerate(zip(cells, sizes, strict=True)):
            first, matrix, ramp = _onto(window[axis], size, tile[axis], n)
            matrix, ramp = matrix.to(logits), ramp.to(logits)
            values = torch.tensordot(values, matrix, dims=([1 + axis], [1])).movedim(-1, 1 + axis)
            weight = weight[..., None] * ramp
            place.append(slice(first, first + len(ramp)))
        total[(slice(None), *place)] += values * weight
        weights[tuple(place)] += weight
    return total / weights


def _cut(span: Span, longest: float) -> list[Span]:
    """Equal overlapping parts of a span, none longer than ``longest``."""
    start, stop = span
    extent = stop - start
    if extent <= longest:
        return [span]
    count = math.ceil((extent / longest - OVERLAP) / (1 - OVERLAP))
    length = extent / (count - (count - 1) * OVERLAP)
    step = (extent - length) / (count - 1)
    return [(start + i * step, start + i * step + length) for i in range(count)]


def _onto(
    window: Span, size: int, tile: Span, cells: int
) -> tuple[int, torch.Tensor, torch.Tensor]:
    """Along an axis: first cell of the window's grid with its centre in the tile, the matrix from
    the tile's cells to those cells, and their weights.
    """
    cell = (window[1] - window[0]) / size
    first = max(0, math.ceil((tile[0] - window[0]) / cell - 0.5 - 1e-6))
    last = min(size, math.floor((tile[1] - window[0]) / cell - 0.5 + 1e-6) + 1)
    to_tile = cells / (tile[1] - tile[0])
    edges = [(window[0] + i * cell - tile[0]) * to_tile for i in (first, last)]
    matrix = axis_taps(cells, last - first, (edges[0], edges[1])).matrix(cells)
    centres = (torch.arange(last - first) + 0.5) / (last - first) * (edges[1] - edges[0]) + edges[0]
    ramp = torch.minimum(centres, cells - centres) / cells
    return first, matrix, ramp.clamp(min=FAINTEST)
