from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image

from train.curves import COLOURS, HEIGHT, MARGIN, WIDTH, draw_curves


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def _rows_of(pixels: np.ndarray, column: int, colour: tuple[int, int, int]) -> list[int]:
    return np.flatnonzero((pixels[:, column] == colour).all(axis=1)).tolist()


def test_dice_is_drawn_at_its_height(tmp_path: Path) -> None:
    draw_curves(tmp_path / "c.png", [], {"CT_A": [(0, 0.5), (100, 0.5)]})
    rows = _rows_of(_pixels(tmp_path / "c.png"), WIDTH + WIDTH // 2, COLOURS[0])
    assert abs(np.mean(rows) - (MARGIN + (HEIGHT - 2 * MARGIN) / 2)) < 2


def test_a_falling_loss_falls_in_the_picture(tmp_path: Path) -> None:
    draw_curves(tmp_path / "c.png", [(s, 2 - s / 100) for s in range(101)], {})
    pixels = _pixels(tmp_path / "c.png")
    early, late = (np.mean(_rows_of(pixels, column, COLOURS[1])) for column in (150, 450))
    assert late > early + 30


def test_odd_values_are_no_reason_to_fail(tmp_path: Path) -> None:
    draw_curves(tmp_path / "c.png", [], {})
    draw_curves(tmp_path / "c.png", [(1, math.nan), (2, 0.0)], {"A": [(0, math.nan)]})
    assert _pixels(tmp_path / "c.png").shape == (HEIGHT, 2 * WIDTH, 3)
