from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from evaluate.folder import Folders
from evaluate.pictures import PREDICTION_COLOUR, TRUTH_COLOUR, draw_case, draw_slice


def pixels(png: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(png)))


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == colour).all(axis=-1).any())


def test_outlines_on_the_fullest_slice(cube: np.ndarray) -> None:
    truth, image = np.zeros_like(cube), np.zeros_like(cube)
    truth[0, 2:12, 2:12], truth[7, 2:4, 2:4] = 1, 1
    image[0] = 50
    picture = pixels(draw_slice(image, truth, np.roll(truth, 4, axis=2), (1, 1, 1)))
    assert picture[0, 0].tolist() == [50, 50, 50]
    assert has(picture, TRUTH_COLOUR)
    assert has(picture, PREDICTION_COLOUR)


def test_without_truth_the_prediction_decides(cube: np.ndarray) -> None:
    empty = np.zeros_like(cube)
    assert has(pixels(draw_slice(empty, empty, cube, (1, 1, 1))), PREDICTION_COLOUR)
    assert pixels(draw_slice(empty, empty, empty, (1, 1, 1))).max() == 0


def test_true_aspect(cube: np.ndarray) -> None:
    assert pixels(draw_slice(cube, cube, cube, (0.5, 1, 9))).shape == (320, 160, 3)


def test_any_intensities_are_scaled(cube: np.ndarray) -> None:
    image = np.linspace(-1000, 1000, cube.size).reshape(cube.shape)
    picture = pixels(draw_slice(image, cube * 0, cube * 0, (1, 1, 1)))
    assert (picture.min(), picture.max()) == (0, 255)


def test_case_from_files(folders: Folders, add_case: Callable[..., None], cube: np.ndarray) -> None:
    add_case("a", cube, cube)
    add_case("b", cube, None)
    assert draw_case(folders, "a") is not None
    assert draw_case(folders, "b") is None
