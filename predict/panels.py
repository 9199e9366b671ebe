"""One plane of a volume as a picture: true aspect, outlines, side markers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from predict.colours import label_colour

BACKGROUND, INK, FAINT = (16, 16, 20), (235, 235, 235), (150, 150, 155)
FRAME = 18
TINT = 0.22
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Edges = tuple[str, str, str, str]
Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class Plane:
    """How the planes across an axis are shown, as radiologists do.

    Attributes:
        name: What it is called in a patient.
        axis: Axis of the canonical (D, H, W) array that it cuts.
        edges: Letters left, right, above and below.
        upside_down: Whether its rows count upwards in the patient.
    """

    name: str
    axis: int
    edges: Edges
    upside_down: bool


PLANES = (
    Plane("axial", 0, ("R", "L", "A", "P"), False),
    Plane("coronal", 1, ("R", "L", "H", "F"), True),
    Plane("sagittal", 2, ("A", "P", "H", "F"), True),
)


def cut(volume: np.ndarray, plane: Plane, index: int) -> np.ndarray:
    """A plane of (D, H, W) as rows and columns of a picture."""
    part: np.ndarray = np.take(volume, index, axis=plane.axis)
    return part[::-1] if plane.upside_down else part


def panel_size(
    shape: Sequence[int], spacing: Spacing, plane: Plane, scale: float
) -> tuple[int, int]:
    """Width and height in pixels of a plane at ``scale`` pixels per mm."""
    lengths = [n * s for n, s in zip(shape, reversed(spacing), strict=True)]
    height, width = (length for axis, length in enumerate(lengths) if axis != plane.axis)
    return max(8, round(width * scale)), max(8, round(height * scale))


def draw_panel(
    grey: np.ndarray,
    labels: np.ndarray,
    size: tuple[int, int],
    *,
    focus: int | None,
    letters: Edges | None,
    font: Font,
) -> Image.Image:
    """A plane with outlines, in a frame that holds the side markers.

    Args:
        grey: Rows and columns, 0..255.
        labels: Of the same shape.
        size: Width and height of the picture inside its frame.
        focus: The label that is tinted and has the thick outline; None: all are tinted.
        letters: At the left, right, upper and lower edge; None where sides are unknown.
        font: Of the letters.
    """
    pixels = np.asarray(
        Image.fromarray(_to_bytes(grey)).resize(size, Image.Resampling.BILINEAR).convert("RGB")
    ).astype(np.float32)
    if focus is None:
        _outline_all(pixels, labels, size)
    else:
        others = [int(i) for i in np.unique(labels) if i and i != focus]
        for label in (*others, focus):
            _outline_one(pixels, labels == label, label, size, strong=label == focus)
    framed = Image.new("RGB", (size[0] + 2 * FRAME, size[1] + 2 * FRAME), BACKGROUND)
    framed.paste(Image.fromarray(pixels.astype(np.uint8)), (FRAME, FRAME))
    if letters is not None:
        _letter_edges(framed, letters, font)
    return framed


def _letter_edges(picture: Image.Image, letters: Edges, font: Font) -> None:
    draw = ImageDraw.Draw(picture)
    width, height = picture.size
    near = FRAME / 2
    places = (
        (near, height / 2),
        (width - near, height / 2),
        (width / 2, near),
        (width / 2, height - near),
    )
    for letter, place in zip(letters, places, strict=True):
        draw.text(place, letter, fill=INK, font=font, anchor="mm")


def _outline_one(
    pixels: np.ndarray, mask: np.ndarray, label: int, size: tuple[int, int], *, strong: bool
) -> None:
    if not mask.any():
        return
    enlarged = Image.fromarray(mask.astype(np.uint8) * np.uint8(255))
    inside = np.asarray(enlarged.resize(size, Image.Resampling.BILINEAR)) > 127
    if not inside.any():  # smaller than a pixel of the picture
        inside = np.asarray(enlarged.resize(size, Image.Resampling.BOX)) > 0
    colour = np.array(label_colour(label), np.float32)
    if strong:
        pixels[inside] = (1 - TINT) * pixels[inside] + TINT * colour
    edge = inside & ~_eroded(inside)
    if strong:
        edge |= inside & ~_eroded(_eroded(inside))
    pixels[edge] = colour


def _outline_all(pixels: np.ndarray, labels: np.ndarray, size: tuple[int, int]) -> None:
    """Many objects at once, each in its colour."""
    rows = np.arange(size[1]) * labels.shape[0] // size[1]
    columns = np.arange(size[0]) * labels.shape[1] // size[0]
    enlarged = labels[rows[:, None], columns]
    ids, inverse = np.unique(enlarged, return_inverse=True)
    palette = np.array([label_colour(int(i)) for i in ids], np.float32)
    colours = palette[inverse.reshape(enlarged.shape)]
    inside = enlarged > 0
    edge = np.zeros_like(inside)
    edge[1:] |= enlarged[1:] != enlarged[:-1]
    edge[:, 1:] |= enlarged[:, 1:] != enlarged[:, :-1]
    edge[:-1] |= enlarged[:-1] != enlarged[1:]
    edge[:, :-1] |= enlarged[:, :-1] != enlarged[:, 1:]
    pixels[inside] = (1 - TINT) * pixels[inside] + TINT * colours[inside]
    pixels[inside & edge] = colours[inside & edge]


def _eroded(mask: np.ndarray) -> np.ndarray:
    padded = np.pad(mask, 1, mode="edge")
    inner = mask & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.asarray(inner)


def _to_bytes(plane: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.clip(plane, 0, 255), dtype=np.uint8)
