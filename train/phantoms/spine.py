"""Spinal cord phantoms: a cord in its canal between vertebrae, in any MR contrast.

No patient is behind them. Contrast, field of view, slice thickness and curvature vary more than
scanners do, so that a network trained on them relies on shape and place (domain randomisation).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from examples.shapes import blur, texture, to_uint8
from examples.volumes import Example, ask_each

Parts = Literal["cord", "matter"]
CONTRASTS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "T1-weighted spinal MRI": {
        "fluid": (25, 70), "white": (110, 160), "grey": (100, 150), "marrow": (130, 200),
        "disc": (80, 130), "muscle": (70, 120), "fat": (190, 250), "cortex": (5, 40),
    },
    "T2-weighted spinal MRI": {
        "fluid": (190, 255), "white": (80, 130), "grey": (90, 145), "marrow": (80, 160),
        "disc": (40, 180), "muscle": (30, 80), "fat": (130, 220), "cortex": (0, 40),
    },
    "T2*-weighted spinal MRI": {
        "fluid": (170, 255), "white": (95, 140), "grey": (135, 185), "marrow": (20, 90),
        "disc": (90, 190), "muscle": (60, 130), "fat": (60, 160), "cortex": (0, 30),
    },
    "magnetization transfer spinal MRI": {
        "fluid": (120, 230), "white": (70, 120), "grey": (95, 150), "marrow": (60, 150),
        "disc": (70, 160), "muscle": (40, 110), "fat": (130, 230), "cortex": (0, 40),
    },
}  # fmt: skip
STUDIES = ("spinal MRI", "spine MRI", "cervical spine MRI")
NAMES: Mapping[Parts, Mapping[int, str]] = {
    "cord": {1: "spinal cord", 2: "spinal cord lesion"},
    "matter": {1: "spinal cord white matter", 2: "spinal cord gray matter"},
}


@dataclass(frozen=True)
class _Geometry:
    """Millimetres from the cord's centre line, (D, H, W) each; x to the left, y to the back."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    cord: tuple[float, float]
    canal: tuple[float, float]


def spinal_phantom(parts: Parts, rng: np.random.Generator) -> Example:
    """A volume with the cord as one class (and perhaps a lesion in it), or white and grey matter.

    Args:
        parts: Which classes are labelled.
        rng: Source of everything random.
    """
    spacing, shape = _field_of_view(parts, rng)
    geometry = _geometry(shape, spacing, rng)
    study = str(rng.choice(list(CONTRASTS)))
    value = {tissue: float(rng.uniform(*span)) for tissue, span in CONTRASTS[study].items()}
    if rng.random() < 0.25:
        value = {tissue: float(rng.uniform(0, 255)) for tissue in value}
    image = _surroundings(geometry, value, rng)
    inside, butterfly = _cord(geometry)
    image[_ellipse(geometry, geometry.canal)] = value["fluid"]
    image[inside] = value["white"]
    image[inside & butterfly] = value["grey"]
    labels = inside.astype(np.uint8)
    if parts == "matter":
        labels[inside & butterfly] = 2
    elif rng.random() < 0.5:
        lesion = _lesion(geometry, rng) & inside
        image[lesion] = np.clip(value["white"] + float(rng.choice((-1, 1))) * 60, 0, 255)
        labels[lesion] = 2
    names = NAMES[parts]
    asked = study if rng.random() < 0.5 else str(rng.choice(STUDIES))
    return Example(
        name=f"MR_phantom_{parts}",
        modality="MR",
        image=_acquire(image, rng),
        labels=labels,
        spacing=(spacing[2], spacing[1], spacing[0]),
        names=names,
        prompts=ask_each(names, asked),
    )


def _field_of_view(
    parts: Parts, rng: np.random.Generator
) -> tuple[tuple[float, float, float], tuple[int, int, int]]:
    """Spacing (z, y, x) in mm and shape: nearly cubic voxels, or few thick axial slices."""
    if parts == "matter" or rng.random() < 0.25:
        thick, fine = float(rng.uniform(2.5, 15)), float(rng.uniform(0.4, 1.0))
        width = float(rng.uniform(24, 60))
        across = round(width / fine), round(width * float(rng.uniform(0.8, 1.25)) / fine)
        return (thick, fine, fine), (int(rng.integers(5, 16)), *across)
    size = float(rng.uniform(0.7, 1.3))
    depth, height, width = (float(rng.uniform(*span)) for span in ((40, 110), (35, 110), (22, 90)))
    return (size, size, size), (round(depth / size), round(height / size), round(width / size))


def _geometry(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], rng: np.random.Generator
) -> _Geometry:
    extent = [n * s for n, s in zip(shape, spacing, strict=True)]
    z, y, x = ((np.arange(n) + 0.5) * s for n, s in zip(shape, spacing, strict=True))
    wave = 2 * np.pi / float(rng.uniform(120, 300))
    bend = float(rng.uniform(0, 0.12)) * extent[1] * np.sin(wave * z + float(rng.uniform(0, 6.3)))
    lean = float(rng.uniform(-0.08, 0.08)) * (z - z.mean())
    back = extent[1] * float(rng.uniform(0.35, 0.65)) + bend + lean
    side = extent[2] * float(rng.uniform(0.4, 0.6)) + float(rng.normal(0, 0.04)) * (z - z.mean())
    scale = float(rng.uniform(0.8, 1.2))
    cord = 6.0 * scale * float(rng.uniform(0.85, 1.15)), 3.9 * scale
    canal = cord[0] + float(rng.uniform(1.5, 5)), cord[1] + float(rng.uniform(1.5, 4))
    offset_y = y[None, :, None] - back[:, None, None] + np.zeros(shape)
    offset_x = x[None, None, :] - side[:, None, None] + np.zeros(shape)
    return _Geometry(offset_x, offset_y, z[:, None, None] + np.zeros(shape), cord, canal)


def _ellipse(at: _Geometry, radii: tuple[float, float], back: float = 0.0) -> np.ndarray:
    return np.asarray((at.x / radii[0]) ** 2 + ((at.y - back) / radii[1]) ** 2 <= 1)


def _cord(at: _Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Masks of the cord, and of the butterfly that its grey matter would be."""
    u, v = np.abs(at.x) / at.cord[0], at.y / at.cord[1]
    horns = ((u - 0.3 - 0.1 * v) / 0.16) ** 2 + (v / 0.68) ** 2 <= 1
    bridge = (u < 0.35) & (np.abs(v) < 0.13)
    return _ellipse(at, at.cord), horns | bridge


def _lesion(at: _Geometry, rng: np.random.Generator) -> np.ndarray:
    centre = [float(rng.uniform(-0.6, 0.6)) * r for r in at.cord]
    height = float(rng.choice(at.z[:, 0, 0]))
    radii = float(rng.uniform(2, 5)), float(rng.uniform(1.5, 3)), float(rng.uniform(3, 12))
    distance = ((at.x - centre[0]) / radii[0]) ** 2 + ((at.y - centre[1]) / radii[1]) ** 2
    return np.asarray(distance + ((at.z - height) / radii[2]) ** 2 <= 1)


def _surroundings(
    at: _Geometry, value: Mapping[str, float], rng: np.random.Generator
) -> np.ndarray:
    """Muscle with fat behind, vertebral bodies and discs in front, arches, air before the neck."""
    image = np.full(at.x.shape, value["muscle"])
    patches = texture(at.x.shape, rng, 3)
    image[patches > float(rng.uniform(0.4, 1.5))] = value["fat"]
    body = float(rng.uniform(9, 16)), float(rng.uniform(7, 12))
    front = -at.canal[1] - body[1] - 1.0
    period, gap = float(rng.uniform(14, 26)), float(rng.uniform(3, 7))
    is_disc = np.mod(at.z + float(rng.uniform(0, period)), period) < gap
    image[_ellipse(at, (at.canal[0] + 4, at.canal[1] + 4))] = value["cortex"]
    image[_ellipse(at, (body[0] + 1.5, body[1] + 1.5), front)] = value["cortex"]
    image[_ellipse(at, body, front)] = value["marrow"]
    image[_ellipse(at, body, front) & is_disc] = value["disc"]
    spinous = (np.abs(at.x) < 3.5) & (at.y > at.canal[1] + 3) & (at.y < at.canal[1] + 22)
    image[spinous & (np.mod(at.z, period) < 0.55 * period)] = value["marrow"]
    image[at.y > float(rng.uniform(25, 60))] = value["fat"]
    image[at.y < front - body[1] - float(rng.uniform(8, 30))] = float(rng.uniform(0, 40))
    return image


def _acquire(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Partial volume, mottle, a smooth bias and noise."""
    mottled = image * (1 + float(rng.uniform(0.02, 0.12)) * texture(image.shape, rng, 2))
    smooth = blur(mottled, int(rng.integers(0, 3)))
    bias = np.ones(())
    for axis, n in enumerate(image.shape):
        line = np.linspace(-1, 1, n).reshape([-1 if a == axis else 1 for a in range(3)])
        bias = bias * (1 + float(rng.uniform(-0.25, 0.25)) * line)
    return to_uint8(smooth * bias + rng.normal(0, float(rng.uniform(2, 14)), image.shape))
