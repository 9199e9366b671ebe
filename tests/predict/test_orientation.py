from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from predict.bundle import load_bundle
from predict.labels import fuse_labels
from predict.orientation import axis_order, canonical_spacing, from_canonical, to_canonical
from predict.predictor import ImagePredictor
from predict.volumes import Volume
from predict.windows import choose_windows, prepare

ANATOMY = np.random.default_rng(0).integers(-1000, 1000, (3, 4, 5)).astype(np.int16)
MASK = (ANATOMY > 300).astype(np.uint8)
OBLIQUE = Rotation.from_euler("xyz", (20, -15, 30), degrees=True).as_matrix()
HALFWAY = Rotation.from_euler("z", 45, degrees=True).as_matrix()


def volume(stored: Any) -> Volume:
    return Volume(**stored._asdict())


@pytest.mark.parametrize("turn", [np.eye(3), OBLIQUE], ids=["straight", "oblique"])
def test_same_anatomy_in_any_of_the_48_orders(
    store: Callable[..., Any], order: Any, turn: np.ndarray
) -> None:
    image = volume(store(ANATOMY, order, turn))
    view, inverse = to_canonical(image)
    np.testing.assert_array_equal(view, ANATOMY)
    assert canonical_spacing(image) == (0.75, 1.5, 2.5)
    expected = store(MASK, order, turn).array
    np.testing.assert_array_equal(inverse(MASK), expected)
    np.testing.assert_array_equal(from_canonical(MASK, image), expected)
    assert np.shares_memory(view, image.array)


@settings(max_examples=40, deadline=None)
@given(quaternion=st.tuples(*[st.floats(-1, 1)] * 4))
def test_any_turn_has_one_order_however_it_is_stored(
    store: Callable[..., Any], quaternion: tuple[float, float, float, float]
) -> None:
    if np.linalg.norm(quaternion) < 1e-3:
        return
    turn = Rotation.from_quat(quaternion).as_matrix()
    views = [
        to_canonical(volume(store(ANATOMY, (axes, flips), turn)))[0]
        for axes, flips in [
            ((0, 1, 2), (False, False, False)),
            ((2, 0, 1), (True, False, True)),
            ((1, 0, 2), (False, True, False)),
        ]
    ]
    np.testing.assert_array_equal(views[0], views[1])
    np.testing.assert_array_equal(views[0], views[2])


def test_a_tie_is_the_same_for_all_48_orders(store: Callable[..., Any], order: Any) -> None:
    first = to_canonical(volume(store(ANATOMY, ((0, 1, 2), (False,) * 3), HALFWAY)))[0]
    np.testing.assert_array_equal(
        to_canonical(volume(store(ANATOMY, order, HALFWAY)))[0],
        first,
    )


def test_a_ras_image_by_hand() -> None:
    """In RAS order x and y run against LPS, z with it."""
    image = Volume(array=ANATOMY, spacing=(1, 2, 3), direction=(-1, 0, 0, 0, -1, 0, 0, 0, 1))
    assert axis_order(image) == ((0, 1, 2), (False, True, True))
    np.testing.assert_array_equal(to_canonical(image)[0], ANATOMY[:, ::-1, ::-1])


def test_a_coronal_image_by_hand() -> None:
    """Rows to the left, columns downwards, slices from front to back."""
    image = Volume(array=ANATOMY, spacing=(1, 2, 3), direction=(1, 0, 0, 0, 0, 1, 0, -1, 0))
    np.testing.assert_array_equal(to_canonical(image)[0], ANATOMY.transpose(1, 0, 2)[::-1])
    assert canonical_spacing(image) == (1, 3, 2)


def test_an_image_without_orientation_keeps_its_order() -> None:
    image = Volume(
        array=ANATOMY, spacing=(1, 2, 3), direction=(-1, 0, 0, 0, 0, 1, 0, 1, 0), oriented=False
    )
    np.testing.assert_array_equal(to_canonical(image)[0], ANATOMY)
    np.testing.assert_array_equal(from_canonical(MASK, image), MASK)
    assert canonical_spacing(image) == (1, 2, 3)


@pytest.fixture(scope="module")
def segment(tiny_bundle: Path) -> Callable[[Volume], np.ndarray]:
    """From a volume to labels in its own order."""
    segmenter = ImagePredictor(load_bundle(tiny_bundle), torch.device("cpu"))

    def run(image: Volume) -> np.ndarray:
        array = prepare(image, choose_windows(image, ["liver"])[0])
        segmenter.set_image(array)
        views = segmenter.predict(["liver"], [1]).views
        return from_canonical(fuse_labels(views, array.shape), image)

    return run


@pytest.fixture(scope="module")
def large() -> np.ndarray:
    """An anatomy whose axes differ clearly in length."""
    return np.random.default_rng(3).integers(-1000, 1000, (24, 40, 20)).astype(np.int16)


@pytest.fixture(scope="module")
def expected(
    segment: Callable[[Volume], np.ndarray], store: Callable[..., Any], large: np.ndarray
) -> np.ndarray:
    """The mask of the anatomy stored in canonical order."""
    mask = segment(volume(store(large, ((0, 1, 2), (False,) * 3), OBLIQUE)))
    assert 0 < np.count_nonzero(mask) < mask.size
    return mask


def test_the_network_gives_the_same_mask_voxel_for_voxel_in_all_48_orders(
    segment: Callable[[Volume], np.ndarray],
    store: Callable[..., Any],
    order: Any,
    large: np.ndarray,
    expected: np.ndarray,
) -> None:
    result = segment(volume(store(large, order, OBLIQUE)))
    np.testing.assert_array_equal(result, store(expected, order, OBLIQUE).array)
