"""Endless stream of training steps: volumes, prompts and targets."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from train.config import SamplingConfig
from train.corpus import LabelledVolume
from train.phrasing import Phrasebook
from train.views import random_view, resample, vary_intensity


class Batch(NamedTuple):
    """One optimiser step.

    Attributes:
        images: (B, 1, D, H, W) float32, 0..255.
        image_of_prompt: (N,) image of every prompt.
        texts: N prompts.
        targets: (N, 1, d, h, w) share of every logit cell that is target, 0..1.
    """

    images: Tensor
    image_of_prompt: Tensor
    texts: list[str]
    targets: Tensor


class StepStream(IterableDataset[Batch]):
    """Draws data set, volume, view, classes and phrasing at random, differently in every worker."""

    def __init__(
        self,
        volumes: Sequence[LabelledVolume],
        phrasebook: Phrasebook,
        image_size: tuple[int, int, int],
        logit_stride: int,
        sampling: SamplingConfig,
        seed: tuple[int, ...],
    ) -> None:
        self.by_dataset: dict[str, list[LabelledVolume]] = defaultdict(list)
        for volume in volumes:
            if volume.classes:
                self.by_dataset[volume.dataset].append(volume)
        self.phrasebook, self.sampling, self.seed = phrasebook, sampling, seed
        self.image_size, self.logit_stride = image_size, logit_stride
        self.datasets = sorted(self.by_dataset)
        weights = np.array(
            [len(self.by_dataset[d]) ** sampling.dataset_power for d in self.datasets]
        )
        self.probabilities = weights / weights.sum()

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        stream = 0 if worker is None else worker.id
        rng = np.random.default_rng([*self.seed, stream])
        words = random.Random(f"{self.seed} {stream}")
        while True:
            yield self._step(rng, words)

    def _step(self, rng: np.random.Generator, words: random.Random) -> Batch:
        images, index, texts, targets = [], [], [], []
        for i in range(self.sampling.images_per_step):
            dataset = str(rng.choice(self.datasets, p=self.probabilities))
            volume = self.by_dataset[dataset][int(rng.integers(len(self.by_dataset[dataset])))]
            image, labels = self._look(volume, rng)
            images.append(image[None])
            for source, class_id in self._choose_prompts(volume, labels, rng):
                present = source == volume.dataset
                target = (labels == class_id) if present else torch.zeros_like(labels)
                index.append(i)
                texts.append(self.phrasebook.sample(source, class_id, words))
                targets.append(self._to_logit_grid(target.float()))
        return Batch(torch.stack(images), torch.tensor(index), texts, torch.stack(targets))

    def _look(self, volume: LabelledVolume, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        view = random_view(volume.labels, volume.classes, self.sampling, rng)
        image = resample(volume.image, view, self.image_size, "bilinear")
        labels = resample(volume.labels, view, self.image_size, "nearest")
        return vary_intensity(image, rng), labels

    def _choose_prompts(
        self, volume: LabelledVolume, labels: Tensor, rng: np.random.Generator
    ) -> list[tuple[str, int]]:
        """(data set, class) pairs: classes seen in the view, sometimes one of another data set."""
        seen = sorted(set(np.unique(labels.numpy()).astype(int).tolist()) & set(volume.classes))
        count = min(self.sampling.prompts_per_image, len(seen))
        chosen = [(volume.dataset, int(c)) for c in rng.permutation(seen)[:count]]
        if not chosen or rng.random() < self.sampling.absent_prompt:
            chosen += self._absent_prompt(volume, rng)
        return chosen

    def _absent_prompt(
        self, volume: LabelledVolume, rng: np.random.Generator
    ) -> list[tuple[str, int]]:
        """A class of another modality whose name the volume's data set does not know, if any."""
        name = self.phrasebook.class_name
        own = {name(volume.dataset, c) for v in self.by_dataset[volume.dataset] for c in v.classes}
        others = [
            (dataset, c)
            for dataset in self.datasets
            for c in self.by_dataset[dataset][0].classes
            if self.by_dataset[dataset][0].modality != volume.modality
            and name(dataset, c) not in own
        ]
        return [others[int(rng.integers(len(others)))]] if others else []

    def _to_logit_grid(self, target: Tensor) -> Tensor:
        return F.avg_pool3d(target[None], self.logit_stride)
