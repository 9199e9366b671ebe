from __future__ import annotations

import numpy as np
import pytest
from PIL import ImageFont

from predict.colours import label_colour
from predict.panels import BACKGROUND, FRAME, PLANES, cut, draw_panel, panel_size

AXIAL, CORONAL, SAGITTAL = PLANES
FONT = ImageFont.load_default(13)


def test_planes_are_shown_as_radiologists_do() -> None:
    """A voxel at the patient's head, back and left is where the letters say."""
    volume = np.zeros((4, 5, 6), np.uint8)
    volume[-1, -1, -1] = 1
    for plane, index in ((AXIAL, 3), (CORONAL, 4), (SAGITTAL, 5)):
        left, right, above, below = plane.edges
        picture = cut(volume, plane, index)
        assert picture.sum() == 1
        row, column = np.argwhere(picture)[0]
        assert (above if row == 0 else below) in ("H", "P")
        assert (left if column == 0 else right) in ("L", "P")
        assert row in (0, picture.shape[0] - 1)
        assert column == picture.shape[1] - 1


@pytest.mark.parametrize(
    ("plane", "size"), [(AXIAL, (60, 100)), (CORONAL, (60, 120)), (SAGITTAL, (100, 120))]
)
def test_true_aspect(plane: object, size: tuple[int, int]) -> None:
    assert panel_size((40, 50, 60), (1.0, 2.0, 3.0), plane, 1.0) == size  # type: ignore[arg-type]


def _panel(labels: np.ndarray, focus: int | None) -> np.ndarray:
    grey = np.full(labels.shape, 100, np.uint8)
    size = (labels.shape[1] * 4, labels.shape[0] * 4)
    return np.asarray(draw_panel(grey, labels, size, focus=focus, letters=None, font=FONT))


def count(picture: np.ndarray, label: int) -> int:
    return int((picture == label_colour(label)).all(axis=-1).sum())


def test_the_focus_is_outlined_more_strongly_and_tinted() -> None:
    labels = np.zeros((20, 20), np.uint8)
    labels[2:8, 2:8], labels[12:18, 12:18] = 1, 2
    one, two = _panel(labels, 1), _panel(labels, 2)
    assert count(one, 1) > count(two, 1) > 0
    assert count(two, 2) > count(one, 2) > 0
    middle = FRAME + 4 * 5
    assert one[middle, middle].tolist() != [100, 100, 100]
    assert two[middle, middle].tolist() == [100, 100, 100]


def test_the_outline_lies_on_the_edge_of_the_mask() -> None:
    labels = np.zeros((20, 20), np.uint8)
    labels[5:15, 5:15] = 3
    picture = _panel(labels, 3)[FRAME:-FRAME, FRAME:-FRAME]
    rows, columns = np.nonzero((picture == label_colour(3)).all(axis=-1))
    assert (rows.min(), rows.max()) == (20, 59)
    assert (columns.min(), columns.max()) == (20, 59)


def test_a_single_voxel_is_seen_in_a_small_picture() -> None:
    labels = np.zeros((100, 100), np.uint8)
    labels[50, 50] = 1
    grey = np.zeros(labels.shape, np.uint8)
    small = draw_panel(grey, labels, (20, 20), focus=1, letters=None, font=FONT)
    assert count(np.asarray(small), 1) > 0


def test_every_object_has_its_colour() -> None:
    labels = np.zeros((20, 20), np.int32)
    labels[2:8, 2:8], labels[2:8, 8:14] = 300, 2
    picture = _panel(labels, None)
    assert count(picture, 300) > 0
    assert count(picture, 2) > 0


def test_letters_stand_in_the_frame_only() -> None:
    grey = np.full((30, 30), 100, np.uint8)
    plain = np.asarray(draw_panel(grey, grey * 0, (60, 60), focus=1, letters=None, font=FONT))
    lettered = np.asarray(
        draw_panel(grey, grey * 0, (60, 60), focus=1, letters=AXIAL.edges, font=FONT)
    )
    inside = slice(FRAME, -FRAME)
    np.testing.assert_array_equal(plain[inside, inside], lettered[inside, inside])
    changed = (plain != lettered).any(axis=-1)
    for part in (changed[:FRAME], changed[-FRAME:], changed[:, :FRAME], changed[:, -FRAME:]):
        assert part.any()
    assert plain[0, 0].tolist() == list(BACKGROUND)
