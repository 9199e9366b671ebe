"""What a slot of an optimiser step holds, as a pure function of seed, step and slot.

Nothing here keeps a state, so any number of workers, processes and accumulated parts sees the same
global batches, no two slots repeat each other's random numbers, and a run that was stopped goes on
exactly where it was once it knows its step.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from evaluate.regions import elsewhere
from predict.errors import UsageError
from train.config import AugmentationConfig, SamplingConfig, Size
from train.corpus import Corpus, LabelledVolume
from train.phrasing import Phrasebook
from train.views import View, quarter_turns, random_view, resample, vary_intensity

SIDE_WORD = re.compile(r"\b([lr]|lt|rt|left|right|sinist(er|ra|rum)|dext(er|ra|rum))\b", re.I)


class Sample(NamedTuple):
    """One volume and what is asked of it.

    Attributes:
        image: (D, H, W) float32, 0..255.
        texts: n prompts, at least one.
        masks: (n, D, H, W) bool, the target of every prompt; empty where it is absent.
    """

    image: Tensor
    texts: list[str]
    masks: Tensor


class Batch(NamedTuple):
    """Volumes of one part of an optimiser step, and all of their prompts.

    Attributes:
        images: (B, 1, D, H, W) float32, 0..255.
        image_of_prompt: (N,) image of every prompt.
        texts: N prompts.
        masks: (N, 1, D, H, W) bool.
    """

    images: Tensor
    image_of_prompt: Tensor
    texts: list[str]
    masks: Tensor


def collate(samples: Sequence[Sample]) -> Batch:
    """Put samples side by side."""
    counts = torch.tensor([len(sample.texts) for sample in samples])
    return Batch(
        images=torch.stack([sample.image for sample in samples])[:, None],
        image_of_prompt=torch.repeat_interleave(torch.arange(len(samples)), counts),
        texts=[text for sample in samples for text in sample.texts],
        masks=torch.cat([sample.masks for sample in samples])[:, None],
    )


class SampleDataset(Dataset[Sample]):
    """Samples by global slot number: slot i of step s is ``s * images_per_step + i``."""

    def __init__(
        self,
        corpus: Corpus,
        cases: Sequence[int],
        phrasebook: Phrasebook,
        image_size: Size,
        sampling: SamplingConfig,
        augmentation: AugmentationConfig,
        seed: int,
    ) -> None:
        """Prepare to draw.

        Args:
            corpus: Where the volumes are.
            cases: Indices of the cases to draw from; those without a class are left out.
            phrasebook: Wordings.
            image_size: Network input (D, H, W).
            sampling: See there.
            augmentation: See there.
            seed: Of the whole run.
        """
        self.corpus, self.phrasebook, self.image_size = corpus, phrasebook, image_size
        self.sampling, self.augmentation, self.seed = sampling, augmentation, seed
        self.by_dataset: dict[str, list[int]] = {}
        for index in cases:
            if corpus.entries[index].classes:
                self.by_dataset.setdefault(corpus.entries[index].dataset, []).append(index)
        self.datasets = sorted(self.by_dataset)
        if not self.datasets:
            raise UsageError("expected a case with a labelled class, found none")
        weights = np.array(
            [
                len(self.by_dataset[d]) ** sampling.dataset_power
                * sampling.dataset_factors.get(d, 1.0)
                for d in self.datasets
            ]
        )
        self.probabilities = weights / weights.sum()
        self._absent = {dataset: self._absent_classes(dataset) for dataset in self.datasets}

    def __getitem__(self, slot: int) -> Sample:
        """Draw case, view, prompts, wordings and augmentation of a global slot."""
        step, place = divmod(slot, self.sampling.images_per_step)
        rng = np.random.default_rng([self.seed, step, place])
        words = random.Random(int(rng.integers(2**63)))
        dataset = str(rng.choice(self.datasets, p=self.probabilities))
        cases = self.by_dataset[dataset]
        volume = self.corpus.read(cases[int(rng.integers(len(cases)))])
        view = random_view(volume.labels, volume.classes, self.augmentation, rng)
        labels = resample(volume.labels, view, self.image_size, "nearest")
        prompts = self._choose_prompts(volume, labels, rng)
        texts = [self.phrasebook.sample(*prompt, words) for prompt in prompts]
        view, labels = self._turn(volume, view, labels, prompts, texts, rng)
        image = resample(volume.image, view, self.image_size, "bilinear")
        masks = [
            labels == class_id if source == dataset else torch.zeros_like(labels, dtype=torch.bool)
            for source, class_id in prompts
        ]
        return Sample(vary_intensity(image, self.augmentation, rng), texts, torch.stack(masks))

    def prompts_per_step(self) -> float:
        """How many present classes a step asks for on average, if every view shows all classes."""
        most, entries = self.sampling.prompts_per_image, self.corpus.entries
        per_image = sum(
            share * np.mean([min(most, len(entries[i].classes)) for i in self.by_dataset[dataset]])
            for dataset, share in zip(self.datasets, self.probabilities, strict=True)
        )
        return float(self.sampling.images_per_step * per_image)

    def _choose_prompts(
        self, volume: LabelledVolume, labels: Tensor, rng: np.random.Generator
    ) -> list[tuple[str, int]]:
        """(data set, class) pairs: classes seen in the view, sometimes one of another data set.

        A view in which no class is seen is asked for one that lies outside of it.
        """
        seen = [c for c in volume.classes if bool((labels == c).any())]
        count = min(self.sampling.prompts_per_image, len(seen))
        chosen = [(volume.dataset, int(c)) for c in rng.permutation(seen)[:count]]
        others = self._absent[volume.dataset]
        if others and rng.random() < self.sampling.absent_prompt:
            chosen.append(others[int(rng.integers(len(others)))])
        return chosen or [(volume.dataset, int(rng.choice(volume.classes)))]

    def _absent_classes(self, dataset: str) -> list[tuple[str, int]]:
        """Classes that are certainly not in a data set's volumes.

        Of other modalities those whose names the data set does not know. Within one modality a
        class without a label may be there all the same: only those of other parts of the body.
        """
        name, entries = self.phrasebook.class_name, self.corpus.entries
        own = {name(dataset, c) for i in self.by_dataset[dataset] for c in entries[i].classes}
        modality = entries[self.by_dataset[dataset][0]].modality
        others = [
            (other, c)
            for other in self.datasets
            for c in sorted({c for i in self.by_dataset[other] for c in entries[i].classes})
            if name(other, c) not in own
        ]
        far = set(elsewhere(own, {name(*other) for other in others}))
        return [
            (other, c)
            for other, c in others
            if entries[self.by_dataset[other][0]].modality != modality or name(other, c) in far
        ]

    def _turn(
        self,
        volume: LabelledVolume,
        view: View,
        labels: Tensor,
        prompts: Sequence[tuple[str, int]],
        texts: Sequence[str],
        rng: np.random.Generator,
    ) -> tuple[View, Tensor]:
        """Turn view and labels by quarters of a circle, unless a prompt or its class has a side."""
        turns = quarter_turns(self.augmentation, rng)
        names = [self.phrasebook.class_name(*prompt) for prompt in prompts]
        if not turns or any(has_side(text) for text in (*texts, *names)):
            return view, labels
        view = View(view.centre, view.extent, view.angle, turns)
        return view, resample(volume.labels, view, self.image_size, "nearest")


def has_side(text: str) -> bool:
    """Whether a text speaks of left or right."""
    return SIDE_WORD.search(text) is not None


class SlotSampler(Sampler[list[int]]):
    """The slots of one process, part by part of a step, from a step on without an end.

    Of a step's slots a process takes its rank, rank + processes and so on.
    """

    def __init__(
        self, images_per_step: int, *, accumulation: int, rank: int, processes: int, start: int
    ) -> None:
        self.images_per_step, self.start = images_per_step, start
        self.mine = range(rank, images_per_step, processes)
        self.part = images_per_step // (processes * accumulation)

    def __iter__(self) -> Iterator[list[int]]:
        step = self.start
        while True:
            first = step * self.images_per_step
            for begin in range(0, len(self.mine), self.part):
                yield [first + slot for slot in self.mine[begin : begin + self.part]]
            step += 1
