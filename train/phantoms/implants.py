"""Brain tumours put into other brains: the grey levels of one case's tumour, a shape of chance.

There are many more places for a tumour than a small corpus has tumours. Each implant is a nest of
irregular regions (edema, solid part, enhancing rim, necrosis) in the brain of one case, with the
grey levels that the same parts have in another case of the same data set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from examples.shapes import blur
from train.corpus import LabelledVolume

NECROSIS, EDEMA, SOLID, RIM = (
    "necrotic tumor core",
    "peritumoral edema",
    "non-enhancing tumor",
    "enhancing tumor",
)
PARTS = (NECROSIS, EDEMA, SOLID, RIM)
BRAIN_ABOVE = 8  # grey levels; outside of the brain, images of stripped skulls are 0


def implants(
    volumes: Sequence[LabelledVolume],
    names: Mapping[str, Mapping[int, str]],
    count: int,
    seed: int,
) -> list[LabelledVolume]:
    """Volumes with one more tumour each.

    Args:
        volumes: A corpus; data sets that know all four parts of a tumour are used.
        names: Class names per data set.
        count: Implants per data set.
        seed: Of everything random.
    """
    made = []
    for dataset in sorted({volume.dataset for volume in volumes}):
        ids = {name: class_id for class_id, name in names.get(dataset, {}).items()}
        if not set(PARTS) <= set(ids):
            continue
        cases = [volume for volume in volumes if volume.dataset == dataset]
        for number in range(count):
            rng = np.random.default_rng([seed, number])
            host, donor = (cases[int(i)] for i in rng.integers(len(cases), size=2))
            made.append(_implant(host, donor, ids, f"{dataset}_implant{number}", rng))
    return made


def _implant(
    host: LabelledVolume,
    donor: LabelledVolume,
    ids: Mapping[str, int],
    name: str,
    rng: np.random.Generator,
) -> LabelledVolume:
    image, labels = host.image.astype(np.float64), host.labels.copy()
    if rng.random() < 0.5:  # no part of a tumour has a side
        image, labels = image[:, :, ::-1].copy(), labels[:, :, ::-1].copy()
    brain = image > BRAIN_ABOVE
    regions = _regions(brain & (labels == 0), rng)
    values = _grey_levels(donor, ids, brain, image)
    mottle = 0.7 * _smooth_field(image.shape, 16, rng) + 0.3 * _smooth_field(image.shape, 48, rng)
    painted = image.copy()
    for part in (EDEMA, SOLID, RIM, NECROSIS):
        where = regions[part]
        mean, spread = values[part]
        painted[where] = mean + float(rng.normal(0, 8)) + spread * mottle[where]
        labels[where] = ids[part]
    anywhere = np.any(list(regions.values()), axis=0)
    soft = blur(anywhere.astype(np.float64), int(rng.integers(1, 4)))
    image = image * (1 - soft) + blur(painted, 1) * soft
    pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    present = tuple(c for c in sorted(ids.values()) if (labels == c).any())
    return LabelledVolume(name, host.dataset, host.modality, pixels, labels, present)


def _regions(healthy: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Nested irregular masks around a random place of the healthy brain."""
    places = np.argwhere(healthy)
    centre = places[int(rng.integers(len(places)))]
    grid = np.ogrid[tuple(slice(n) for n in healthy.shape)]
    stretch = rng.uniform(0.75, 1.3, 3)
    distance = np.sqrt(
        sum(((g - c) / s) ** 2 for g, c, s in zip(grid, centre, stretch, strict=True))
    )
    coarse, fine = (_smooth_field(healthy.shape, cells, rng) for cells in (10, 28))
    radius = float(rng.uniform(7, 24))
    core = distance + 0.16 * radius * coarse + 0.06 * radius * fine
    around = distance + 0.3 * radius * coarse
    edema = (around < radius * float(rng.uniform(1.2, 2.2))) & healthy
    solid = (core < radius) & healthy
    thickness = float(rng.uniform(0.15, 0.5))
    ring = solid & (core > radius * (1 - thickness) * float(rng.uniform(0.7, 1.0)))
    necrosis = solid & ~ring & (fine < float(rng.uniform(0, 2)))
    rim = solid & ~necrosis & (coarse + 0.5 * fine < float(rng.uniform(-0.3, 2.5)))
    return {EDEMA: edema & ~solid, NECROSIS: necrosis, RIM: rim, SOLID: solid & ~necrosis & ~rim}


def _grey_levels(
    donor: LabelledVolume, ids: Mapping[str, int], brain: np.ndarray, image: np.ndarray
) -> dict[str, tuple[float, float]]:
    """Mean and spread of each part in the donor, moved to the host's brightness."""
    own = donor.image > BRAIN_ABOVE
    shift = float(np.median(image[brain])) - float(np.median(donor.image[own]))
    found = {}
    for part in PARTS:
        pixels = donor.image[donor.labels == ids[part]]
        if not pixels.size:
            pixels = donor.image[own]
        found[part] = (float(pixels.mean()) + shift, float(pixels.std()))
    return found


def _smooth_field(shape: tuple[int, ...], cells: int, rng: np.random.Generator) -> np.ndarray:
    """Random field of standard deviation 1 that varies over a ``cells``-th of the volume."""
    knots = torch.from_numpy(rng.standard_normal((1, 1, cells, cells, cells)))
    field = F.interpolate(knots, size=shape, mode="trilinear", align_corners=True)[0, 0].numpy()
    return np.asarray(field / field.std())
