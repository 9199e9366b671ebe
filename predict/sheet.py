"""Contact sheet of a case: three planes through each found structure, with all that is needed to
judge it: outlines, names, sizes, sides, a scale bar, and what was not found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from predict.atomic import replacing
from predict.cases import Case
from predict.colours import Colour, label_colour
from predict.panels import (
    BACKGROUND,
    FAINT,
    FRAME,
    INK,
    PLANES,
    Font,
    Spacing,
    cut,
    draw_panel,
    panel_size,
)

if TYPE_CHECKING:
    from predict.result import Result

PANEL = 300
NAME_WIDTH = 210
GAP = 12
LINE = 18
BAR_HEIGHT = 18
MOST_ROWS = 12
MOST_LINES = 6
LEAST_WIDTH = 640
NOTE = "Research only, not for diagnosis."


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a sheet shows.

    Attributes:
        title: First line.
        labels: (D, H, W) ids in canonical order: towards the head, the back, the patient's left.
        greys: Label -> image in canonical order, 0..255, as it was seen for that label; 0 is for
            where nothing was found.
        spacing: (x, y, z) mm.
        names: Label -> prompt; of instances the one prompt under 1.
        presence: Label -> probability of presence, as far as told.
        objects: Number of instances; None for classes.
        oriented: Whether the sides are known.
    """

    title: str
    labels: np.ndarray
    greys: Mapping[int, np.ndarray]
    spacing: Spacing
    names: Mapping[int, str]
    presence: Mapping[int, float]
    objects: int | None = None
    oriented: bool = True


def write_sheet(scene: Scene, path: Path) -> Path:
    """Draw a scene and write it as PNG; nothing half-written is ever seen.

    Returns:
        The path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        draw_sheet(scene).save(partial, format="PNG")
    return path


def preview_writer(outputs: Path) -> Callable[[Case, np.ndarray], Path]:
    """Draws OUTPUTS/previews/NAME.png of a challenge case and its labels, and returns the path."""
    folder = outputs / "previews"
    return lambda case, labels: write_sheet(
        scene_of_case(case, labels), folder / f"{case.name}.png"
    )


def scene_of_case(case: Case, labels: np.ndarray) -> Scene:
    """A challenge case with its answer; such a file does not tell the patient's sides."""
    prompts = case.prompts[:1] if case.instance else case.prompts
    names = {1 if case.instance else prompt.class_id: prompt.text for prompt in prompts}
    return Scene(
        title=case.name,
        labels=labels,
        greys=dict.fromkeys((0, *names), case.image),
        spacing=case.spacing,
        names=names,
        presence={},
        objects=int(np.count_nonzero(np.unique(labels))) if case.instance else None,
        oriented=False,
    )


def scene_of_result(result: Result, title: str) -> Scene:
    """A result in canonical order, each class in the window it was looked for in."""
    from predict.orientation import canonical_spacing, to_canonical
    from predict.windows import choose_windows, prepare

    volume, prompts = result.volume, result.prompts
    windows = [choose_windows(volume, [p.text], p.window)[0] for p in prompts]
    seen = {window: prepare(volume, window) for window in dict.fromkeys(windows)}
    greys = {p.class_id: seen[window] for p, window in zip(prompts, windows, strict=True)}
    labels, _ = to_canonical(replace(volume, array=result.labels))
    return Scene(
        title=title,
        labels=labels,
        greys={0: greys[prompts[0].class_id], **greys},
        spacing=canonical_spacing(volume),
        names={p.class_id: p.text for p in prompts},
        presence={p.class_id: p.presence for p in prompts if p.presence is not None},
        objects=result.instances,
        oriented=volume.oriented,
    )


def draw_sheet(scene: Scene) -> Image.Image:
    """Draw a scene: a header, a row for each of the largest classes, and a list of the rest."""
    labels = scene.labels > 0 if scene.objects is not None else scene.labels
    counts = plane_counts(labels)
    sizes = {label: int(planes.sum()) for label, planes in counts[0].items()}
    found = sorted(set(sizes) & set(scene.names), key=lambda label: -sizes[label])
    shown = [label for label in scene.names if label in found[:MOST_ROWS]]
    middle = tuple(n // 2 for n in scene.labels.shape)
    parts = [_header(scene)]
    for label in shown:
        where = tuple(int(np.argmax(planes[label])) for planes in counts)
        parts.append(_row(scene, label, where, sizes[label]))
    if not shown:
        parts.append(_row(scene, 0, middle, 0))
    parts.append(_footer(scene, [label for label in found if label not in shown], sizes))
    return _stack(parts)


def plane_counts(labels: np.ndarray) -> tuple[dict[int, np.ndarray], ...]:
    """For each axis of (D, H, W) labels below 256: label -> voxels in each of its planes."""
    tables = [np.zeros((n, 256), np.int64) for n in labels.shape]
    rows, columns = (256 * np.arange(n) for n in labels.shape[1:])
    for index, plane in enumerate(labels):
        if not plane.any():
            continue
        ids = plane.astype(np.int64)
        tables[0][index] = np.bincount(ids.ravel(), minlength=256)
        for table, steps in ((tables[1], rows[:, None]), (tables[2], columns)):
            table += np.bincount((ids + steps).ravel(), minlength=table.size).reshape(table.shape)
    present = [int(label) for label in np.flatnonzero(tables[0].any(axis=0)) if label]
    return tuple({label: table[:, label] for label in present} for table in tables)


def fullest_plane(labels: np.ndarray, axis: int) -> int:
    """Index of the plane with most labelled voxels; the middle one if there are none."""
    others = tuple(a for a in range(3) if a != axis)
    counts = np.count_nonzero(labels, axis=others)
    return int(counts.argmax()) if counts.any() else labels.shape[axis] // 2


def _row(scene: Scene, label: int, where: Sequence[int], voxels: int) -> Image.Image:
    """Name and size of a class, then its three planes, all at the sheet's one scale."""
    lengths = [n * s for n, s in zip(scene.labels.shape, reversed(scene.spacing), strict=True)]
    scale = PANEL / max(lengths)
    panels = [
        draw_panel(
            cut(scene.greys[label], plane, where[plane.axis]),
            cut(scene.labels, plane, where[plane.axis]),
            panel_size(scene.labels.shape, scene.spacing, plane, scale),
            focus=label if scene.objects is None else None,
            letters=plane.edges if scene.oriented else None,
            font=_font(13),
        )
        for plane in PLANES
    ]
    height = max(panel.height for panel in panels) + LINE + BAR_HEIGHT
    width = NAME_WIDTH + sum(panel.width + GAP for panel in panels)
    row = Image.new("RGB", (width, height), BACKGROUND)
    draw = ImageDraw.Draw(row)
    _describe(draw, scene, label, voxels)
    x = NAME_WIDTH
    for plane, panel in zip(PLANES, panels, strict=True):
        name = plane.name if scene.oriented else f"axis {plane.axis + 1}"
        number = f"{where[plane.axis] + 1}/{scene.labels.shape[plane.axis]}"
        text = _shorten(f"{name} {number}", _font(12), panel.width)
        draw.text((x + panel.width / 2, 0), text, FAINT, _font(12), anchor="ma")
        row.paste(panel, (x, LINE))
        x += panel.width + GAP
    _scale_bar(draw, (NAME_WIDTH + FRAME, height - BAR_HEIGHT + 4), scale)
    return row


def _describe(draw: ImageDraw.ImageDraw, scene: Scene, label: int, voxels: int) -> None:
    """The column beside the planes."""
    y = LINE
    if label and scene.objects is None:
        draw.rectangle((0, y + 2, NAME_WIDTH - 2 * GAP, y + 7), fill=label_colour(label))
        y += LINE
    lines = [(line, INK) for line in _wrap(scene.names.get(label, "nothing found"), NAME_WIDTH)]
    if scene.objects:
        lines.append((f"{scene.objects} objects", FAINT))
    if voxels:
        volume = voxels * float(np.prod(scene.spacing))
        lines.append((_volume(volume), FAINT))
        lines.append((f"{voxels:,} voxel{'s' * (voxels > 1)}", FAINT))
    if label in scene.presence:
        lines.append((f"presence {scene.presence[label]:.2f}", FAINT))
    for text, ink in lines:
        draw.text((0, y), text, ink, _font(14))
        y += LINE


def _header(scene: Scene) -> Image.Image:
    depth, height, width = scene.labels.shape
    x, y, z = (f"{s:.3g}" for s in scene.spacing)
    sides = "" if scene.oriented else "  Sides are not stated by the file."
    lines = [
        (scene.title, INK, 17),
        (f"{width} x {height} x {depth} voxels of {x} x {y} x {z} mm.{sides}  {NOTE}", FAINT, 12),
    ]
    return _text_block(lines)


def _footer(scene: Scene, unseen: Sequence[int], sizes: Mapping[int, int]) -> Image.Image:
    """What was found but has no row, and what was not found."""
    voxel = float(np.prod(scene.spacing))
    missing = [text for label, text in scene.names.items() if label not in sizes]
    lines: list[tuple[str, Colour, int]] = []
    if unseen:
        lines.append(("Also found, smaller:", INK, 14))
        texts = [f"{scene.names[label]} ({_volume(sizes[label] * voxel)})" for label in unseen]
        lines += [(line, FAINT, 14) for text in texts for line in _wrap(text, LEAST_WIDTH)]
    if missing:
        lines.append(("Not found:", INK, 14))
        lines += [(line, FAINT, 14) for text in missing for line in _wrap(text, LEAST_WIDTH)]
    return _text_block(lines)


def _text_block(lines: Sequence[tuple[str, Colour, int]]) -> Image.Image:
    heights = [round(size * 1.4) for _, _, size in lines]
    width = max((math.ceil(_font(size).getlength(text)) for text, _, size in lines), default=0)
    block = Image.new("RGB", (max(1, width), max(1, sum(heights))), BACKGROUND)
    draw, y = ImageDraw.Draw(block), 0
    for (text, ink, size), height in zip(lines, heights, strict=True):
        draw.text((0, y), text, ink, _font(size))
        y += height
    return block


def _stack(parts: Sequence[Image.Image]) -> Image.Image:
    width = max(LEAST_WIDTH, *(part.width for part in parts)) + 2 * GAP
    height = sum(part.height + GAP for part in parts) + GAP
    sheet = Image.new("RGB", (width, height), BACKGROUND)
    y = GAP
    for part in parts:
        sheet.paste(part, (GAP, y))
        y += part.height + GAP
    return sheet


def _scale_bar(draw: ImageDraw.ImageDraw, place: tuple[int, int], scale: float) -> None:
    """A bar of a round length, about a fifth of the longest side."""
    length = round_length(PANEL / 5 / scale)
    x, y = place
    end = x + round(length * scale)
    draw.line((x, y, end, y), INK, 2)
    for tick in (x, end):
        draw.line((tick, y - 3, tick, y + 3), INK, 1)
    draw.text((end + 8, y), f"{length:g} mm", INK, _font(12), anchor="lm")


def round_length(most: float) -> float:
    """The largest of 1, 2, 5, 10, 20, 50, ... (and their fractions) that is not above ``most``."""
    power = 10.0 ** math.floor(math.log10(most))
    return max(step * power for step in (1, 2, 5) if step * power <= most * (1 + 1e-9))


def _volume(mm3: float) -> str:
    return f"{mm3 / 1000:,.3g} ml" if mm3 < 1e5 else f"{mm3 / 1000:,.0f} ml"


def _wrap(text: str, width: int) -> list[str]:
    """At most MOST_LINES lines that fit; a longer text ends in dots."""
    font, room = _font(14), width - 2 * GAP
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= room or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], f"{lines[MOST_LINES - 1]} ..."]
    return [_shorten(line, font, room) for line in lines]


def _shorten(text: str, font: Font, room: float) -> str:
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(f"{text}...") > room:
        text = text[:-1]
    return f"{text}..."


@lru_cache
def _font(size: int) -> Font:
    return ImageFont.load_default(size)
