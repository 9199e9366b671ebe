from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from train.config import SamplingConfig
from train.corpus import LabelledVolume
from train.phrasing import Phrasebook
from train.sampling import Batch, StepStream


def _stream(
    volumes: list[LabelledVolume], phrasebook: Phrasebook, seed: int = 0, **sampling: float
) -> StepStream:
    config = SamplingConfig(images_per_step=2, **sampling)  # type: ignore[arg-type]
    return StepStream(volumes, phrasebook, (16, 16, 16), 2, config, (seed,))


def test_a_step_fits_together(volumes: list[LabelledVolume], phrasebook: Phrasebook) -> None:
    for batch in islice(_stream(volumes, phrasebook), 10):
        count = len(batch.texts)
        assert batch.images.shape == (2, 1, 16, 16, 16)
        assert batch.image_of_prompt.shape == (count,)
        assert set(batch.image_of_prompt.tolist()) <= {0, 1}
        assert batch.targets.shape == (count, 1, 8, 8, 8)
        assert 0 <= batch.targets.min() <= batch.targets.max() <= 1


def test_targets_are_those_of_the_prompts(
    volumes: list[LabelledVolume], phrasebook: Phrasebook
) -> None:
    stream = _stream(volumes[:1], phrasebook, full_view=1.0, absent_prompt=0.0)
    batch = next(iter(stream))
    shares = {1: (volumes[0].labels == 1).mean(), 2: (volumes[0].labels == 2).mean()}
    for text, target in zip(batch.texts, batch.targets, strict=True):
        words = text.lower()
        class_id = 2 if any(w in words for w in ("kidney", "renal", "nephr", "ren ")) else 1
        assert target.mean().item() == pytest.approx(shares[class_id], abs=0.02), text


def test_absent_prompts_have_empty_targets(
    volumes: list[LabelledVolume], phrasebook: Phrasebook
) -> None:
    batches = list(islice(_stream(volumes, phrasebook, absent_prompt=1.0, full_view=1.0), 10))
    empty = [float(t.sum()) == 0 for b in batches for t in b.targets]
    assert sum(empty) == 2 * len(batches)


def test_one_seed_one_stream(volumes: list[LabelledVolume], phrasebook: Phrasebook) -> None:
    first, again = (next(iter(_stream(volumes, phrasebook, 3))) for _ in range(2))
    other = next(iter(_stream(volumes, phrasebook, 4)))
    assert torch.equal(first.images, again.images)
    assert first.texts == again.texts
    assert not torch.equal(first.images, other.images)


def test_workers_draw_differently(volumes: list[LabelledVolume], phrasebook: Phrasebook) -> None:
    loader = DataLoader(_stream(volumes, phrasebook), batch_size=None, num_workers=2)
    first: Batch
    second: Batch
    first, second = islice(loader, 2)
    assert not torch.equal(first.images, second.images)


def test_rare_data_sets_are_drawn_more_often_than_their_share(
    volumes: list[LabelledVolume], phrasebook: Phrasebook
) -> None:
    stream = _stream(volumes, phrasebook, dataset_power=0.5)
    assert stream.datasets == ["CT_A", "Microscopy_B"]
    np.testing.assert_allclose(stream.probabilities, np.array([3**0.5, 1]) / (1 + 3**0.5))
