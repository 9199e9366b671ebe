"""Colours of labels, the same in pictures, masks and meshes."""

from __future__ import annotations

import colorsys

Colour = tuple[int, int, int]


def label_colour(label: int) -> Colour:
    """A colour that differs clearly from its neighbours' (golden-angle hues), RGB 0..255."""
    r, g, b = colorsys.hsv_to_rgb((label * 0.618034) % 1.0, 0.75, 1.0)
    return int(255 * r), int(255 * g), int(255 * b)
