"""One picture per case: three planes through what was found, colours, names."""

from __future__ import annotations

import colorsys
import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from predict.cases import Case

PANEL_HEIGHT = 320
LEGEND_WIDTH = 360
LINE_HEIGHT = 18
MARGIN = 8
BACKGROUND, INK, FAINT = (16, 16, 20), (235, 235, 235), (150, 150, 150)
Colour = tuple[int, int, int]


def write_preview(case: Case, labels: np.ndarray, folder: Path) -> Path:
    """Draw a case.

    Args:
        case: Image, spacing and prompts.
        labels: (D, H, W) ids; in an instance case every object has its own colour.
        folder: Where NAME.png goes.

    Returns:
        Path of the picture.
    """
    panels = [_panel(case, labels, axis) for axis in range(3)]
    legend = _legend(case, labels)
    height = max(legend.height, *(panel.height for panel in panels)) + 2 * MARGIN
    width = sum(panel.width + MARGIN for panel in panels) + legend.width + 2 * MARGIN
    sheet = Image.new("RGB", (width, height), BACKGROUND)
    x = MARGIN
    for part in (*panels, legend):
        sheet.paste(part, (x, MARGIN))
        x += part.width + MARGIN
    folder.mkdir(parents=True, exist_ok=True)
    path, partial = folder / f"{case.name}.png", folder / f".{case.name}.partial"
    sheet.save(partial, format="PNG")
    os.replace(partial, path)
    return path


def label_colour(label: int) -> Colour:
    """A colour that differs clearly from its neighbours' (golden-angle hues)."""
    r, g, b = colorsys.hsv_to_rgb((label * 0.618034) % 1.0, 0.75, 1.0)
    return int(255 * r), int(255 * g), int(255 * b)


def _panel(case: Case, labels: np.ndarray, axis: int) -> Image.Image:
    """The plane with most labelled voxels, in its true aspect, outlines over a tint."""
    index = fullest_plane(labels, axis)
    grey = np.take(case.image, index, axis=axis)
    plane = np.take(labels, index, axis=axis)
    # The first axis points up in a standing patient; pictures count rows downwards.
    if axis != 0:
        grey, plane = grey[::-1], plane[::-1]
    spacing = [s for a, s in enumerate(reversed(case.spacing)) if a != axis]
    size = _panel_size(grey.shape, spacing)
    picture = Image.fromarray(_to_grey(grey)).resize(size, Image.Resampling.BILINEAR)
    enlarged = Image.fromarray(plane.astype(np.int32)).resize(size, Image.Resampling.NEAREST)
    return Image.fromarray(_overlay(np.asarray(picture), np.asarray(enlarged)))


def fullest_plane(labels: np.ndarray, axis: int) -> int:
    """Index of the plane with most labelled voxels; the middle one if there are none."""
    others = tuple(a for a in range(3) if a != axis)
    counts = np.count_nonzero(labels, axis=others)
    return int(counts.argmax()) if counts.any() else labels.shape[axis] // 2


def _panel_size(shape: tuple[int, ...], spacing: list[float]) -> tuple[int, int]:
    height, width = shape[0] * spacing[0], shape[1] * spacing[1]
    scale = PANEL_HEIGHT / max(height, width)
    return max(24, round(width * scale)), max(24, round(height * scale))


def _to_grey(plane: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(plane, 0, 255), dtype=np.uint8)


def _overlay(grey: np.ndarray, labels: np.ndarray) -> np.ndarray:
    colour = np.repeat(grey[..., None], 3, axis=2).astype(np.float32)
    edge = np.zeros(labels.shape, bool)
    edge[:-1] |= labels[:-1] != labels[1:]
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    for label in np.unique(labels[labels > 0]):
        inside = labels == label
        tint = np.array(label_colour(int(label)), np.float32)
        colour[inside] = 0.75 * colour[inside] + 0.25 * tint
        colour[inside & edge] = tint
    return colour.astype(np.uint8)


def _legend(case: Case, labels: np.ndarray) -> Image.Image:
    font = ImageFont.load_default(13)
    lines: list[tuple[str, Colour, Colour | None]] = [(case.name, INK, None)]
    present = set(np.unique(labels).tolist()) - {0}
    for prompt in case.prompts[:1] if case.instance else case.prompts:
        if case.instance and present:
            lines += [(prompt.text, INK, None), (f"{len(present)} objects", FAINT, None)]
        elif prompt.class_id in present:
            lines.append((prompt.text, INK, label_colour(prompt.class_id)))
        else:
            lines.append((f"not found: {prompt.text}", FAINT, None))
    picture = Image.new("RGB", (LEGEND_WIDTH, LINE_HEIGHT * len(lines) + MARGIN), BACKGROUND)
    draw = ImageDraw.Draw(picture)
    for row, (text, ink, swatch) in enumerate(lines):
        y = row * LINE_HEIGHT
        if swatch is not None:
            draw.rectangle((0, y + 3, 12, y + 15), fill=swatch)
        draw.text((18 if swatch else 0, y), _shorten(text, font), fill=ink, font=font)
    return picture


def _shorten(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    room = LEGEND_WIDTH - 20
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(text + "...") > room:
        text = text[:-1]
    return text + "..."
