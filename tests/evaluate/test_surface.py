from __future__ import annotations

import warnings
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import distance_transform_edt

from evaluate.surface import CORNERS, nsd, surface_areas

masks = arrays(np.bool_, (4, 5, 6))
sizes = st.floats(0.3, 5)
spacings = st.tuples(sizes, sizes, sizes)
UNIT = np.ones(3)


def test_official_figure_of_a_shifted_cube(cube: np.ndarray) -> None:
    shifted = np.roll(cube, 1, axis=0) > 0
    assert nsd(shifted, cube > 0, (5, 1, 1)) == pytest.approx(0.904, abs=5e-4)
    assert nsd(shifted, cube > 0, (1, 1, 5)) == 1


@pytest.mark.parametrize(
    ("corners", "area"),
    [
        ([], 0),
        ([(0, 0, 0)], np.sqrt(3) / 8),
        ([(0, 0, 0), (0, 0, 1)], np.sqrt(2) / 2),
        ([(0, 0, 0), (0, 1, 1)], np.sqrt(3) / 4),
        ([(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)], 1),
        ([(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)], np.sqrt(3) * 3 / 4),
        ([(0, 0, 1), (0, 0, 0), (0, 1, 0)], 1 / 2 + np.sqrt(3) * 3 / 8),
        ([(1, 0, 0), (0, 0, 0), (0, 0, 1), (0, 1, 1)], np.sqrt(3) / 2 + np.sqrt(2) / 2),
    ],
    ids=["none", "corner", "edge", "two corners", "face", "tripod", "L", "chain"],
)
def test_area_by_hand(corners: list[tuple[int, int, int]], area: float) -> None:
    code = sum(1 << CORNERS.index(corner) for corner in corners)
    assert surface_areas(UNIT)[code] == pytest.approx(area)


@given(spacings)
def test_inside_and_outside_share_their_surface(spacing: tuple[float, float, float]) -> None:
    areas = surface_areas(np.array(spacing))
    assert np.allclose(areas, areas[::-1], rtol=1e-12)


def test_area_is_in_square_millimetres() -> None:
    face = sum(1 << CORNERS.index(corner) for corner in CORNERS if corner[0] == 0)
    assert surface_areas(np.array([5.0, 2.0, 3.0]))[face] == pytest.approx(6)


@given(masks, spacings)
def test_identity_is_one(mask: np.ndarray, spacing: tuple[float, float, float]) -> None:
    assert nsd(mask, mask, spacing) == 1


@given(masks, masks, spacings, st.sampled_from([0.5, 1.0, 2.0]))
def test_bounded_symmetric_and_as_by_distance_maps(
    a: np.ndarray, b: np.ndarray, spacing: tuple[float, float, float], tolerance: float
) -> None:
    value = nsd(a, b, spacing, tolerance)
    assert 0 <= value <= 1
    assert value == pytest.approx(nsd(b, a, spacing, tolerance))
    if a.any() and b.any():
        assert value == pytest.approx(_nsd_by_distance_maps(a, b, spacing, tolerance))


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.1, 0.1, 0.1), (0.7, 0.7, 0.7)])
def test_distance_of_just_the_tolerance_agrees(spacing: tuple[float, float, float]) -> None:
    """A plane 5 voxels away, at any offset in the volume."""
    a = np.zeros((40, 3, 3), bool)
    b = a.copy()
    a[31:32], b[36:37] = True, True
    tolerance = float(np.sqrt((5 * spacing[0]) ** 2))
    assert nsd(a, b, spacing, tolerance) == 1
    assert nsd(a, b, spacing, tolerance * 0.99) < 1


def test_one_empty_mask_is_zero(cube: np.ndarray) -> None:
    empty = np.zeros_like(cube, dtype=bool)
    assert nsd(empty, cube > 0, UNIT) == nsd(cube > 0, empty, UNIT) == 0
    assert nsd(empty, empty, UNIT) == 1


def test_surface_closes_at_the_border_of_the_volume() -> None:
    full = np.ones((4, 4, 4), bool)
    hollow = full.copy()
    hollow[1:3, 1:3, 1:3] = False
    assert 0 < nsd(full, hollow, (3, 3, 3), 1) < 1


@pytest.fixture(scope="session")
def metrics() -> ModuleType:
    """MONAI's metrics."""
    return pytest.importorskip("monai.metrics", reason="needs MONAI to compare with")


@given(masks, masks, spacings)
def test_equals_monai_to_four_digits(
    metrics: ModuleType, a: np.ndarray, b: np.ndarray, spacing: tuple[float, float, float]
) -> None:
    if not (a.any() and b.any()):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = metrics.compute_surface_dice(
            torch.from_numpy(a)[None, None].float(),
            torch.from_numpy(b)[None, None].float(),
            [2.0],
            include_background=True,
            spacing=spacing,
            use_subvoxels=True,
        ).item()
    assert nsd(a, b, spacing) == pytest.approx(expected, abs=5e-5)


def _nsd_by_distance_maps(
    a: np.ndarray, b: np.ndarray, spacing: tuple[float, float, float], tolerance: float
) -> float:
    """As the definition says, with the distance to the other surface at every grid point."""
    borders, areas = [], []
    for mask in (a, b):
        padded = np.pad(mask, 1).astype(int)
        codes = sum(
            padded[z : 5 + z, y : 6 + y, x : 7 + x] << bit for bit, (z, y, x) in enumerate(CORNERS)
        )
        borders.append((codes > 0) & (codes < 255))
        areas.append(surface_areas(np.array(spacing))[codes])
    agreeing = 0.0
    for i in (0, 1):
        distances = distance_transform_edt(~borders[1 - i], sampling=spacing)
        agreeing += areas[i][borders[i] & (distances <= tolerance)].sum()
    return agreeing / sum(area[border].sum() for area, border in zip(areas, borders, strict=True))
