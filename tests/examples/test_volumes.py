from __future__ import annotations

import zlib

import numpy as np
import pytest
from scipy import ndimage

from examples.volumes import KINDS, make_example


@pytest.mark.parametrize("kind", KINDS)
def test_labels_and_prompts_belong_together(kind: str) -> None:
    example = make_example(kind, 7)
    assert example.image.dtype == example.labels.dtype == np.uint8
    assert example.image.shape == example.labels.shape
    assert example.image.std() > 10
    found = set(np.unique(example.labels).tolist()) - {0}
    if example.instance:
        assert found == set(range(1, len(found) + 1))
        assert list(example.prompts) == [1]
    else:
        assert found == set(example.prompts)
    assert all(len(set(texts)) == len(texts) > 1 for texts in example.prompts.values())


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_bytes(kind: str) -> None:
    first, again, other = (make_example(kind, seed) for seed in (7, 7, 8))
    assert first.image.tobytes() == again.image.tobytes()
    assert zlib.crc32(first.image.tobytes()) != zlib.crc32(other.image.tobytes())


def test_organs_lie_on_their_sides() -> None:
    """The last axis goes from the patient's right to left."""
    for kind, seed in ((k, s) for k in ("ct_torso", "mr_brain") for s in range(3)):
        example = make_example(kind, seed)
        for class_id, texts in example.prompts.items():
            x = ndimage.center_of_mass(example.labels == class_id)[2] / example.labels.shape[2]
            if " left " in f" {texts[0]} ":
                assert x > 0.5, texts[0]
            if " right " in f" {texts[0]} ":
                assert x < 0.5, texts[0]


def test_nuclei_touch_so_that_components_do_not_separate_them() -> None:
    labels = make_example("microscopy_nuclei", 7).labels
    components = ndimage.label(labels > 0)[1]
    assert 1 < components < labels.max()


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected one of ct_torso"):
        make_example("x_ray", 0)
