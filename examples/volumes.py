"""Synthetic volumes, one function per kind; no patient is behind any of them.

Axes are (D, H, W): from inferior to superior, from anterior to posterior, from the patient's
right to left, so the liver lies at small and the left kidney at large W.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from examples.shapes import Canvas, Triple, blur, texture, to_uint8


@dataclass(frozen=True, kw_only=True)
class Example:
    """A synthetic case.

    Attributes:
        name: File name without ending.
        modality: CT, MR, PET, US or Microscopy.
        image: (D, H, W) uint8.
        labels: (D, H, W) uint8 class ids, or object ids in an instance case.
        spacing: (x, y, z) mm.
        names: Class id -> name of the class.
        prompts: Class id -> phrasings; the first one is the shipped case's.
        instance: Whether the objects are to be told apart.
    """

    name: str
    modality: str
    image: np.ndarray
    labels: np.ndarray
    spacing: Triple
    names: Mapping[int, str]
    prompts: Mapping[int, tuple[str, ...]]
    instance: bool = False


def ct_torso(rng: np.random.Generator) -> Example:
    """Abdomen and lower chest in a soft-tissue window, organs on their proper sides."""
    canvas = Canvas((72, 128, 144), 0)
    ellipsoid, paint, vary = canvas.ellipsoid, canvas.paint, _variation(canvas, rng)
    height = float(rng.uniform(0.9, 1.1))
    body = ellipsoid((0.5, 0.5, 0.5), (9.0, 0.42, 0.46))
    paint(body, 88)
    paint(ellipsoid((0.5, 0.5, 0.5), (9.0, 0.36, 0.4)), 138)
    paint(vary((0.95, 0.45, 0.27), (0.42, 0.24, 0.15)), 4, 2)
    paint(vary((0.95, 0.45, 0.73), (0.42, 0.24, 0.15)), 4, 1)
    paint(vary((0.55 * height, 0.42, 0.31), (0.24, 0.23, 0.19)), 168, 3)
    paint(vary((0.58 * height, 0.6, 0.77), (0.13, 0.13, 0.08)), 172, 4)
    paint(vary((0.32, 0.64, 0.34), (0.14, 0.075, 0.06)), 186, 5)
    paint(vary((0.35, 0.64, 0.67), (0.14, 0.075, 0.06)), 186, 6)
    paint(vary((0.1, 0.4, 0.5), (0.12, 0.12, 0.13)), 132, 7)
    spine = ellipsoid((0.5, 0.74, 0.5), (9.0, 0.075, 0.065))
    paint(spine, 215, 8)
    paint(ellipsoid((0.5, 0.81, 0.5), (9.0, 0.028, 0.028)), 145, 9)
    paint(ellipsoid((0.5, 0.63, 0.53), (9.0, 0.035, 0.032)), 182, 10)
    image = blur(canvas.image) + 3 * texture(canvas.image.shape, rng, 2)
    image = np.where(canvas.image > 50, image + rng.normal(0, 4, image.shape), np.maximum(image, 0))
    study = "abdominal CT"
    names = {
        1: "left lung",
        2: "right lung",
        3: "liver",
        4: "spleen",
        5: "right kidney",
        6: "left kidney",
        7: "urinary bladder",
        8: "vertebrae",
        9: "spinal cord",
        10: "aorta",
    }
    return Example(
        name="CT_synthetic_torso",
        modality="CT",
        image=to_uint8(image),
        labels=canvas.labels,
        spacing=(2.5, 2.5, 5.0),
        names=names,
        prompts=ask_each(names, study),
    )


def mr_brain(rng: np.random.Generator) -> Example:
    """Brain-like volume with ventricles, deep grey matter and a tumour in its edema."""
    canvas = Canvas((72, 112, 96), 0)
    ellipsoid, paint, vary = canvas.ellipsoid, canvas.paint, _variation(canvas, rng)
    middle = (0.52, 0.5, 0.5)
    paint(ellipsoid(middle, (0.47, 0.47, 0.46)), 140)
    paint(ellipsoid(middle, (0.44, 0.44, 0.42)), 20)
    brain = ellipsoid(middle, (0.42, 0.42, 0.4))
    folds = texture(canvas.image.shape, rng, 3)
    canvas.image[brain] = np.where(folds[brain] > 0.3, 105, 150)
    paint(ellipsoid(middle, (0.35, 0.35, 0.33)), 150)
    for x, label in ((0.43, 1), (0.57, 1)):
        paint(vary((0.57, 0.48, x), (0.09, 0.17, 0.035)), 25, label)
    paint(vary((0.52, 0.45, 0.36), (0.07, 0.1, 0.045)), 112, 2)
    paint(vary((0.52, 0.45, 0.64), (0.07, 0.1, 0.045)), 112, 3)
    side = float(rng.choice((0.27, 0.73)))
    spot: Triple = (float(rng.uniform(0.5, 0.68)), float(rng.uniform(0.35, 0.65)), side)
    size = float(rng.uniform(0.8, 1.2))
    paint(ellipsoid(spot, (0.14 * size, 0.13 * size, 0.11 * size)) & brain, 90, 4)
    paint(ellipsoid(spot, (0.075 * size, 0.07 * size, 0.065 * size)) & brain, 205, 5)
    paint(ellipsoid(spot, (0.04 * size, 0.035 * size, 0.035 * size)) & brain, 60, 6)
    bias = 1 + 0.08 * (canvas.grid[1] - 0.5) * float(rng.uniform(-2, 2))
    image = blur(canvas.image) * bias + rng.normal(0, 5, canvas.image.shape) * (canvas.image > 0)
    study = "post-contrast T1-weighted brain MRI"
    names = {
        1: "lateral ventricles",
        2: "right putamen",
        3: "left putamen",
        4: "peritumoral edema",
        5: "enhancing tumor",
        6: "necrotic tumor core",
    }
    return Example(
        name="MR_synthetic_brain",
        modality="MR",
        image=to_uint8(image),
        labels=canvas.labels,
        spacing=(1.6, 1.6, 2.0),
        names=names,
        prompts=ask_each(names, study),
    )


def pet_lesions(rng: np.random.Generator) -> Example:
    """Whole-body-like FDG PET: physiological uptake and hot lesions of several sizes."""
    canvas = Canvas((80, 64, 80), 2)
    ellipsoid, paint, vary = canvas.ellipsoid, canvas.paint, _variation(canvas, rng)
    body = ellipsoid((0.5, 0.5, 0.5), (9.0, 0.36, 0.42))
    paint(body, 28)
    paint(vary((0.7, 0.45, 0.34), (0.1, 0.22, 0.17)), 55, 1)
    paint(vary((0.1, 0.42, 0.5), (0.07, 0.12, 0.1)), 190, 2)
    paint(vary((0.9, 0.42, 0.56), (0.06, 0.12, 0.1)), 95)
    for _ in range(int(rng.integers(3, 7))):
        centre = (float(rng.uniform(0.25, 0.95)), 0.5, 0.5)
        angle, reach = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.05, 0.26))
        centre = (centre[0], 0.5 + reach * np.sin(angle), 0.5 + reach * np.cos(angle))
        radius = float(rng.uniform(0.035, 0.08))
        lesion = ellipsoid(centre, (0.8 * radius, 1.2 * radius, radius)) & body
        paint(lesion & (canvas.labels == 0), float(rng.uniform(170, 250)), 3)
    image = blur(canvas.image, 3) * (1 + 0.08 * texture(canvas.image.shape, rng, 1))
    study = "FDG PET"
    names = {
        1: "liver",
        2: "urinary bladder",
        3: "hypermetabolic lesions",
    }
    return Example(
        name="PET_synthetic_lesions",
        modality="PET",
        image=to_uint8(image),
        labels=canvas.labels,
        spacing=(5.0, 5.0, 5.0),
        names=names,
        prompts=ask_each(names, study),
    )


def us_heart(rng: np.random.Generator) -> Example:
    """Apical view of a beating heart (a stack of frames) with speckle, in a sector."""
    canvas = Canvas((24, 144, 128), 0)
    frame, y, x = canvas.grid
    beat = 1 - 0.15 * np.sin(np.pi * frame) ** 2
    turn = float(rng.uniform(-0.25, 0.25))
    grow = float(rng.uniform(0.85, 1.15))

    def oval(cy: float, cx: float, ry: float, rx: float) -> np.ndarray:
        dy, dx = y - cy, x - cx
        dy, dx = np.cos(turn) * dy - np.sin(turn) * dx, np.sin(turn) * dy + np.cos(turn) * dx
        scale = grow * beat
        return np.asarray((dy / (ry * scale)) ** 2 + (dx / (rx * scale)) ** 2 <= 1)

    sector = (np.abs(x - 0.5) < 0.06 + 0.62 * y) & ((y - 0.02) ** 2 + (x - 0.5) ** 2 < 0.92**2)
    canvas.paint(sector, 60)
    canvas.paint(oval(0.42, 0.5, 0.3, 0.2), 150, 2)
    canvas.paint(oval(0.43, 0.5, 0.24, 0.13), 16, 1)
    canvas.paint(oval(0.78, 0.5, 0.13, 0.15), 18, 3)
    speckle = np.sqrt(np.abs(blur(rng.exponential(1.0, canvas.image.shape))))
    image = blur(canvas.image * sector) * speckle * (1.15 - 0.4 * y)
    study = "apical cardiac ultrasound"
    names = {
        1: "left ventricle",
        2: "myocardium",
        3: "left atrium",
    }
    labels = np.where(sector, canvas.labels, 0).astype(np.uint8)
    return Example(
        name="US_synthetic_heart",
        modality="US",
        image=to_uint8(image),
        labels=labels,
        spacing=(0.7, 0.7, 1.0),
        names=names,
        prompts=ask_each(names, study),
    )


def microscopy_nuclei(rng: np.random.Generator) -> Example:
    """Fluorescent nuclei, many of them touching; an instance case."""
    canvas = Canvas((32, 112, 112), 14)
    count = int(rng.integers(30, 70))
    for label in range(1, count + 1):
        centre: Triple = tuple(rng.uniform(0.06, 0.94, 3).tolist())
        size = float(rng.uniform(0.045, 0.075))
        radii = (2.6 * size, size * float(rng.uniform(0.8, 1.2)), size)
        mask = canvas.ellipsoid(centre, radii, float(rng.uniform(0, np.pi)))
        free = mask & (canvas.labels == 0)
        canvas.paint(free, float(rng.uniform(110, 215)) * (1 - 0.3 * centre[0]), label)
    mottled = canvas.image * (1 + 0.12 * texture(canvas.image.shape, rng, 2) * (canvas.labels > 0))
    image = blur(mottled, 2) + rng.normal(0, 5, canvas.image.shape)
    labels = _renumber(canvas.labels)
    names = {1: "cell nucleus"}
    prompts = {
        1: (
            "Separate each cell nucleus in this fluorescence microscopy stack",
            "nuclei in fluorescence microscopy",
            "Label every nucleus in the 3D fluorescence microscopy volume",
        )
    }
    return Example(
        name="Microscopy_synthetic_nuclei",
        modality="Microscopy",
        image=to_uint8(image),
        labels=labels,
        spacing=(0.5, 0.5, 1.5),
        names=names,
        prompts=prompts,
        instance=True,
    )


KINDS: dict[str, Callable[[np.random.Generator], Example]] = {
    "ct_torso": ct_torso,
    "mr_brain": mr_brain,
    "pet_lesions": pet_lesions,
    "us_heart": us_heart,
    "microscopy_nuclei": microscopy_nuclei,
}


def make_example(kind: str, seed: int) -> Example:
    """A synthetic volume; the same kind and seed give the same bytes.

    Raises:
        ValueError: Unknown kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind: expected one of {', '.join(KINDS)}, received {kind}")
    return KINDS[kind](np.random.Generator(np.random.PCG64([seed, *kind.encode()])))


Ellipsoid = Callable[[Triple, Triple], np.ndarray]


def _variation(canvas: Canvas, rng: np.random.Generator) -> Ellipsoid:
    """Ellipsoids whose place, size and turn differ a little from what is asked for."""

    def vary(centre: Triple, radii: Triple) -> np.ndarray:
        shift, stretch = rng.uniform(-0.02, 0.02, 3), rng.uniform(0.85, 1.15, 3)
        z, y, x = (c + float(s) for c, s in zip(centre, shift, strict=True))
        depth, height, width = (r * float(s) for r, s in zip(radii, stretch, strict=True))
        return canvas.ellipsoid((z, y, x), (depth, height, width), float(rng.uniform(-0.2, 0.2)))

    return vary


def ask_each(names: Mapping[int, str], study: str) -> dict[int, tuple[str, ...]]:
    """Phrasings for every class of a study."""
    return {
        class_id: (
            f"Segment the {name} on this {study}",
            f"{name} in {study}",
            f"Where is the {name} in the {study}?",
            f"outline the {name}, {study}",
        )
        for class_id, name in names.items()
    }


def _renumber(labels: np.ndarray) -> np.ndarray:
    """Ids 1..n without gaps: an object can be hidden by earlier ones."""
    ids, dense = np.unique(labels, return_inverse=True)
    return dense.reshape(labels.shape).astype(np.uint8) + np.uint8(ids[0] != 0)
