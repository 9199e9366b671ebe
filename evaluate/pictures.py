"""A slice of a case with the outlines of ground truth and prediction, as a PNG."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from evaluate.cases import read_info, read_labels
from evaluate.folder import Folders
from predict.errors import CaseError
from predict.sheet import fullest_plane

LONG_SIDE = 320
TRUTH_COLOUR, PREDICTION_COLOUR = (90, 220, 120), (255, 80, 200)


def draw_slice(
    image: np.ndarray,
    truth: np.ndarray,
    prediction: np.ndarray,
    spacing: tuple[float, float, float],
) -> bytes:
    """Draw the slice across the first axis that holds most of the ground truth.

    Where there is none the prediction decides. Ground truth is green, the prediction magenta.

    Args:
        image: (D, H, W) grey values.
        truth: (D, H, W) ids.
        prediction: (D, H, W) ids.
        spacing: (x, y, z) mm.

    Returns:
        PNG of at most 320 pixels a side, in true aspect.
    """
    index = fullest_plane(truth if truth.any() else prediction, axis=0)
    height, width = image.shape[1] * spacing[1], image.shape[2] * spacing[0]
    scale = LONG_SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    grey = Image.fromarray(_as_bytes(image[index])).resize(size, Image.Resampling.BILINEAR)
    pixels = np.array(grey.convert("RGB"))
    pixels[_outline(_resized(truth[index], size))] = TRUTH_COLOUR
    pixels[_outline(_resized(prediction[index], size))] = PREDICTION_COLOUR
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def draw_case(folders: Folders, case: str) -> bytes | None:
    """Draw a case from its files; None if one of them is unusable."""
    name = f"{case}.npz"
    try:
        truth = read_labels(folders.truths / name, "gts")
        prediction = read_labels(folders.predictions / name, "segs", truth.shape)
        image = read_labels(folders.inputs / name, "imgs", truth.shape)
        spacing = read_info(folders.inputs / name).spacing
    except CaseError:
        return None
    return draw_slice(image, truth, prediction, spacing)


def _as_bytes(plane: np.ndarray) -> np.ndarray:
    if plane.dtype == np.uint8:
        return plane
    finite = np.nan_to_num(plane.astype(np.float64))
    low, high = np.percentile(finite, (0.5, 99.5))
    scaled: np.ndarray = np.clip((finite - low) / max(high - low, 1e-9), 0, 1) * 255
    return scaled.astype(np.uint8)


def _resized(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    rows = np.arange(size[1]) * plane.shape[0] // size[1]
    columns = np.arange(size[0]) * plane.shape[1] // size[0]
    resized: np.ndarray = plane[rows[:, None], columns]
    return resized


def _outline(labels: np.ndarray) -> np.ndarray:
    """Labelled pixels beside a pixel of another label."""
    padded = np.pad(labels, 1, mode="edge")
    neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    outline: np.ndarray = np.logical_or.reduce([labels != other for other in neighbours])
    outline &= labels != 0
    return outline
