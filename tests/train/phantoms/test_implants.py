from __future__ import annotations

import numpy as np

from train.corpus import LabelledVolume
from train.phantoms.implants import BRAIN_ABOVE, EDEMA, NECROSIS, PARTS, RIM, implants

NAMES = {"MR_T": dict(enumerate(PARTS, 1)), "CT_A": {1: "liver"}}
IDS = {name: class_id for class_id, name in NAMES["MR_T"].items()}


def _brain(level: int) -> LabelledVolume:
    shape = (36, 48, 40)
    grid = np.indices(shape)
    middle = np.array(shape)[:, None, None, None] / 2
    image = np.where((((grid - middle) / middle) ** 2).sum(0) < 0.9, level, 0).astype(np.uint8)
    labels = np.zeros(shape, np.uint8)
    for class_id, value in ((1, 60), (2, 170), (3, 120), (4, 230)):
        where = slice(16, 18), slice(20, 22), slice(4 * class_id, 4 * class_id + 2)
        labels[where], image[where] = class_id, value
    return LabelledVolume(f"brain{level}", "MR_T", "MR", image, labels, (1, 2, 3, 4))


def test_each_data_set_with_all_parts_gets_its_implants() -> None:
    other = LabelledVolume(
        "liver", "CT_A", "CT", np.ones((4, 4, 4), np.uint8), np.ones((4, 4, 4), np.uint8), (1,)
    )
    made = implants([_brain(100), other], NAMES, 3, 0)
    assert [volume.name for volume in made] == [f"MR_T_implant{i}" for i in range(3)]
    again = implants([_brain(100), other], NAMES, 3, 0)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(made, again, strict=True))
    assert not np.array_equal(made[0].image, made[1].image)


def test_an_implant_lies_in_the_brain_and_has_the_donors_grey_levels() -> None:
    host = _brain(100)
    found: dict[str, list[float]] = {part: [] for part in PARTS}
    for made in implants([host], NAMES, 8, 0):
        new = (
            (made.labels > 0)
            & (made.labels != host.labels)
            & (made.labels != host.labels[..., ::-1])
        )
        inside = (host.image > BRAIN_ABOVE) | (host.image[..., ::-1] > BRAIN_ABOVE)
        assert new.any()
        assert not (new & ~inside).any()
        assert set(np.unique(made.labels)) - {0} == set(made.classes)
        for part in PARTS:
            where = new & (made.labels == IDS[part])
            if where.sum() > 20:
                found[part].append(float(made.image[where].mean()))
    means = {part: np.mean(values) for part, values in found.items() if values}
    assert means[NECROSIS] < means[EDEMA] < means[RIM]


def test_the_host_is_left_as_it_was() -> None:
    host = _brain(100)
    before = host.image.copy(), host.labels.copy()
    implants([host], NAMES, 2, 0)
    assert np.array_equal(host.image, before[0])
    assert np.array_equal(host.labels, before[1])
