from __future__ import annotations

import numpy as np

from examples.volumes import KINDS
from train.synthetic import make_synthetic


def test_every_class_of_every_volume_has_a_name_and_prompts() -> None:
    made = make_synthetic(2, 3)
    assert len(made.volumes) == 2 * len(KINDS) + 2 * 3
    datasets = {f"synthetic_{kind}" for kind in KINDS} | {"phantom_cord", "phantom_matter"}
    assert {volume.dataset for volume in made.volumes} == datasets
    for volume in made.volumes:
        assert volume.classes
        for class_id in volume.classes:
            assert made.names[volume.dataset][class_id]
            assert made.prompts[volume.dataset][class_id]


def test_only_nuclei_are_counted_one_by_one() -> None:
    assert make_synthetic(1, 1).instance_datasets == {"synthetic_microscopy_nuclei"}


def test_phrasings_of_all_contrasts_are_kept() -> None:
    few, many = make_synthetic(0, 1), make_synthetic(0, 6)
    assert len(many.prompts["phantom_cord"][1]) > len(few.prompts["phantom_cord"][1])
    assert np.array_equal(few.volumes[0].image, many.volumes[0].image)
