from __future__ import annotations

import numpy as np
import pytest

from examples.shapes import Canvas, blur, texture, to_uint8


def test_an_ellipsoid_has_its_volume() -> None:
    mask = Canvas((60, 60, 60), 0).ellipsoid((0.5, 0.5, 0.5), (0.4, 0.3, 0.2))
    assert mask.mean() == pytest.approx(4 / 3 * np.pi * 0.4 * 0.3 * 0.2, rel=0.02)


def test_a_quarter_turn_swaps_the_plane_axes() -> None:
    canvas = Canvas((8, 40, 40), 0)
    turned = canvas.ellipsoid((0.5, 0.5, 0.5), (0.5, 0.4, 0.2), np.pi / 2)
    np.testing.assert_array_equal(
        turned, canvas.ellipsoid((0.5, 0.5, 0.5), (0.5, 0.2, 0.4)), strict=True
    )


def test_later_paint_covers_earlier_paint() -> None:
    canvas = Canvas((2, 2, 2), 5)
    everything = np.ones((2, 2, 2), bool)
    canvas.paint(everything, 10, 1)
    canvas.paint(everything, 20)
    assert (canvas.image == 20).all()
    assert (canvas.labels == 1).all()


def test_blur_keeps_a_constant_and_spreads_a_point() -> None:
    np.testing.assert_allclose(blur(np.full((3, 4, 5), 7.0)), 7.0)
    point = np.zeros((5, 5, 5))
    point[2, 2, 2] = 64
    assert blur(point)[2, 2, 2] == pytest.approx(8)
    assert blur(point).sum() == pytest.approx(64)


def test_texture_is_standardised() -> None:
    field = texture((16, 16, 16), np.random.default_rng(0), 2)
    assert field.mean() == pytest.approx(0, abs=1e-9)
    assert field.std() == pytest.approx(1)


def test_rounding_and_clipping() -> None:
    assert to_uint8(np.array([-3, 0.6, 254.4, 300])).tolist() == [0, 1, 254, 255]
