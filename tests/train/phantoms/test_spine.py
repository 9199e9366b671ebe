from __future__ import annotations

import numpy as np
import pytest

from train.phantoms.spine import NAMES, Parts, spinal_phantom


@pytest.mark.parametrize("parts", ["cord", "matter"])
def test_the_same_seed_gives_the_same_volume(parts: Parts) -> None:
    one, again = (spinal_phantom(parts, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one.image, again.image)
    assert np.array_equal(one.labels, again.labels)
    assert not np.array_equal(one.image, spinal_phantom(parts, np.random.default_rng(4)).image)


@pytest.mark.parametrize("seed", range(8))
def test_the_cord_runs_through_every_slice(seed: int) -> None:
    phantom = spinal_phantom("cord", np.random.default_rng(seed))
    assert phantom.image.shape == phantom.labels.shape
    assert phantom.image.dtype == np.uint8
    across = phantom.spacing[0] * phantom.spacing[1]
    area = (phantom.labels > 0).sum((1, 2)) * across
    assert area.min() > 25
    assert area.max() < 160  # mm2, of a cord


@pytest.mark.parametrize("seed", range(4))
def test_grey_matter_lies_inside_of_white_matter(seed: int) -> None:
    phantom = spinal_phantom("matter", np.random.default_rng(seed))
    white, grey = (phantom.labels == 1).sum(), (phantom.labels == 2).sum()
    assert 0.05 * white < grey < white
    for plane in phantom.labels:
        rows, columns = np.nonzero(plane)
        inner_rows, inner_columns = np.nonzero(plane == 2)
        assert rows.min() < inner_rows.min()
        assert rows.max() > inner_rows.max()
        assert columns.min() < inner_columns.min()
        assert columns.max() > inner_columns.max()


def test_contrasts_and_names_vary_as_they_should() -> None:
    phantoms = [spinal_phantom("cord", np.random.default_rng(seed)) for seed in range(12)]
    brighter = [p.image[p.labels == 1].mean() > np.median(p.image) for p in phantoms]
    assert 0 < sum(brighter) < len(brighter)
    assert all(p.names == NAMES["cord"] for p in phantoms)
    assert all("spinal cord" in text for text in phantoms[0].prompts[1])
