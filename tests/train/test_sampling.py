from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from predict.errors import UsageError
from train.config import AugmentationConfig, SamplingConfig
from train.corpus import LabelledVolume, MemoryCorpus
from train.phrasing import Phrasebook
from train.sampling import Batch, Sample, SampleDataset, SlotSampler, collate, has_side

IMAGES = 4


def _dataset(
    volumes: list[LabelledVolume],
    phrasebook: Phrasebook,
    *,
    seed: int = 0,
    augmentation: AugmentationConfig | None = None,
    **sampling: Any,
) -> SampleDataset:
    config = SamplingConfig(**{"images_per_step": IMAGES, "prompts_per_image": 3, **sampling})
    cases = range(len(volumes))
    look = augmentation or AugmentationConfig()
    corpus = MemoryCorpus(volumes)
    return SampleDataset(corpus, cases, phrasebook, (16, 16, 16), config, look, seed)


WHOLE = AugmentationConfig(full_view=1.0)


def _same(first: Sample, second: Sample) -> bool:
    return (
        torch.equal(first.image, second.image)
        and first.texts == second.texts
        and torch.equal(first.masks, second.masks)
    )


def test_samples_fit_together(volumes: list[LabelledVolume], phrasebook: Phrasebook) -> None:
    dataset = _dataset(volumes, phrasebook)
    samples = [dataset[i] for i in range(12)]
    for sample in samples:
        assert sample.image.shape == (16, 16, 16)
        assert 0 <= sample.image.min() <= sample.image.max() <= 255
        assert sample.masks.shape == (len(sample.texts), 16, 16, 16)
        assert sample.masks.dtype == torch.bool
        assert sample.texts
    batch = collate(samples)
    counts = [len(sample.texts) for sample in samples]
    assert batch.images.shape == (12, 1, 16, 16, 16)
    assert batch.masks.shape == (sum(counts), 1, 16, 16, 16)
    assert torch.bincount(batch.image_of_prompt).tolist() == counts
    assert len(batch.texts) == sum(counts)


def test_masks_are_those_of_the_prompts(
    volumes: list[LabelledVolume], phrasebook: Phrasebook
) -> None:
    dataset = _dataset(volumes[:1], phrasebook, augmentation=WHOLE)
    shares = {c: (volumes[0].labels == c).mean() for c in (1, 2)}
    for sample in (dataset[i] for i in range(5)):
        for text, mask in zip(sample.texts, sample.masks, strict=True):
            words = text.lower()
            class_id = 2 if any(w in words for w in ("kidney", "renal", "nephr", "ren ")) else 1
            assert mask.float().mean().item() == pytest.approx(shares[class_id], abs=0.02), text


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_prompts_without_a_target_have_empty_masks(
    share: float, volumes: list[LabelledVolume], phrasebook: Phrasebook
) -> None:
    dataset = _dataset(volumes, phrasebook, absent_prompt=share, augmentation=WHOLE)
    empty = [sum(int(not mask.any()) for mask in dataset[i].masks) for i in range(10)]
    assert empty == [share] * 10


def test_a_view_that_shows_no_class_still_has_a_prompt(phrasebook: Phrasebook) -> None:
    labels = np.zeros((64, 64, 64), np.uint8)
    labels[40, 40, 40] = 1  # lost on a grid of 16
    volume = LabelledVolume("a", "CT_A", "CT", labels, labels, (1,))
    sample = _dataset([volume], phrasebook, augmentation=WHOLE)[0]
    assert len(sample.texts) == 1
    assert not sample.masks.any()


def test_a_slot_is_a_function_of_seed_step_and_place(
    volumes: list[LabelledVolume], phrasebook: Phrasebook
) -> None:
    dataset, other = (_dataset(volumes, phrasebook, seed=seed) for seed in (3, 4))
    backwards = {i: dataset[i] for i in reversed(range(8))}
    assert all(_same(dataset[i], backwards[i]) for i in range(8))
    assert not any(_same(dataset[i], other[i]) for i in range(8))


def test_no_slot_of_any_step_repeats_another(
    volumes: list[LabelledVolume], phrasebook: Phrasebook
) -> None:
    dataset = _dataset(volumes, phrasebook)
    images = {dataset[i].image.numpy().tobytes() for i in range(10 * IMAGES)}
    assert len(images) == 10 * IMAGES


@pytest.mark.parametrize(
    ("workers", "processes", "accumulation"),
    [(0, 1, 2), (0, 2, 1), (0, 2, 2), (0, 4, 1), (2, 1, 2), (2, 2, 1)],
)
def test_workers_processes_and_parts_see_the_same_global_batch(
    workers: int,
    processes: int,
    accumulation: int,
    volumes: list[LabelledVolume],
    phrasebook: Phrasebook,
) -> None:
    dataset, start = _dataset(volumes, phrasebook), 5
    seen: list[str] = []
    for rank in range(processes):
        sampler = SlotSampler(
            IMAGES, accumulation=accumulation, rank=rank, processes=processes, start=start
        )
        loader = DataLoader(dataset, batch_sampler=sampler, collate_fn=collate, num_workers=workers)
        parts: list[Batch] = list(islice(loader, accumulation))
        seen += [text for part in parts for text in part.texts]
    expected = [t for i in range(IMAGES) for t in dataset[start * IMAGES + i].texts]
    assert sorted(seen) == sorted(expected)


def test_a_process_takes_every_nth_slot_part_by_part() -> None:
    sampler = SlotSampler(8, accumulation=2, rank=1, processes=2, start=3)
    assert list(islice(sampler, 4)) == [[25, 27], [29, 31], [33, 35], [37, 39]]


@pytest.mark.parametrize("text", ["left kidney", "Kidney (Right)", "L kidney", "atrium sinistrum"])
def test_side_words_are_found(text: str) -> None:
    assert has_side(text)


@pytest.mark.parametrize("text", ["liver", "bright lesion", "cleft", "level C1", "copyright"])
def test_other_words_have_no_side(text: str) -> None:
    assert not has_side(text)


def test_only_prompts_without_a_side_are_turned(phrasebook: Phrasebook) -> None:
    """The first axis of the plane is marked: a quarter turn moves the mark."""
    ramp = np.broadcast_to(np.linspace(0, 255, 16)[None, :, None], (16, 16, 16)).astype(np.uint8)
    still = {"scale": 0.0, "shift": 0.0, "gamma": 0.0, "noise": 0.0}
    always = AugmentationConfig(full_view=1.0, quarter_turn=1.0, **still)
    for class_id, turned in ((1, True), (2, False)):
        labels = np.full(ramp.shape, class_id, np.uint8)
        volume = LabelledVolume("a", "CT_A", "CT", ramp, labels, (class_id,))
        dataset = _dataset([volume], phrasebook, augmentation=always)
        as_it_was = [
            torch.equal(dataset[i].image, torch.from_numpy(ramp).float()) for i in range(9)
        ]
        assert as_it_was == [not turned] * 9


def test_mask_and_image_turn_together(phrasebook: Phrasebook) -> None:
    labels = np.zeros((16, 16, 16), np.uint8)
    labels[:, :4, :6] = 1
    image = labels * np.uint8(200)
    volume = LabelledVolume("a", "CT_A", "CT", image, labels, (1,))
    still = {"scale": 0.0, "shift": 0.0, "gamma": 0.0, "noise": 0.0}
    always = AugmentationConfig(full_view=1.0, quarter_turn=1.0, **still)
    for sample in (_dataset([volume], phrasebook, augmentation=always)[i] for i in range(6)):
        assert torch.equal(sample.image > 100, sample.masks[0])


def test_rare_data_sets_are_drawn_more_often_than_their_share(
    volumes: list[LabelledVolume], phrasebook: Phrasebook
) -> None:
    dataset = _dataset(volumes, phrasebook, dataset_power=0.5)
    assert dataset.datasets == ["CT_A", "Microscopy_B"]
    np.testing.assert_allclose(dataset.probabilities, np.array([3**0.5, 1]) / (1 + 3**0.5))


def test_a_data_set_can_be_drawn_more_often(
    volumes: list[LabelledVolume], phrasebook: Phrasebook
) -> None:
    factors = {"Microscopy_B": 3.0, "not here": 9.0}
    dataset = _dataset(volumes, phrasebook, dataset_power=1.0, dataset_factors=factors)
    np.testing.assert_allclose(dataset.probabilities, [0.5, 0.5])


def test_prompts_per_step_are_those_of_the_classes(
    volumes: list[LabelledVolume], phrasebook: Phrasebook
) -> None:
    dataset = _dataset(volumes, phrasebook, dataset_power=1.0)
    assert dataset.prompts_per_step() == pytest.approx(IMAGES * (0.75 * 2 + 0.25 * 1))


def test_nothing_to_draw_is_an_error(phrasebook: Phrasebook) -> None:
    with pytest.raises(UsageError, match="expected a case with a labelled class"):
        _dataset([], phrasebook)
