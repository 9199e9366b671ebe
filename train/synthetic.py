"""Volumes mixed into the training that no patient is behind, with their phrasings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from examples.volumes import KINDS, Example, make_example
from train.corpus import LabelledVolume, labelled_volume
from train.phantoms.spine import NAMES, spinal_phantom

FIRST_SEED = 100


@dataclass(frozen=True)
class Synthetic:
    """Volumes, and by data set and class id their names and phrasings."""

    volumes: list[LabelledVolume] = field(default_factory=list)
    names: dict[str, dict[int, str]] = field(default_factory=dict)
    prompts: dict[str, dict[int, tuple[str, ...]]] = field(default_factory=dict)

    @property
    def instance_datasets(self) -> set[str]:
        """Data sets whose objects are counted one by one."""
        return {d for d, names in self.names.items() if "cell nucleus" in names.values()}


def make_synthetic(examples: int, phantoms: int) -> Synthetic:
    """The same volumes for the same numbers.

    Args:
        examples: Volumes of every kind of ``examples``.
        phantoms: Spinal cord phantoms of either labelling.
    """
    made = Synthetic()
    for dataset, example, number in (*_examples(examples), *_phantoms(phantoms)):
        made.volumes.append(
            labelled_volume(
                f"{example.name}_{number}",
                dataset,
                example.modality,
                example.image,
                example.labels,
                set(example.prompts),
                example.instance,
            )
        )
        made.names.setdefault(dataset, {}).update(example.names)
        known = made.prompts.setdefault(dataset, {})
        for class_id, texts in example.prompts.items():
            known[class_id] = tuple(dict.fromkeys((*known.get(class_id, ()), *texts)))
    return made


def _examples(count: int) -> Iterator[tuple[str, Example, int]]:
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        for kind in KINDS:
            yield f"synthetic_{kind}", make_example(kind, seed), seed


def _phantoms(count: int) -> Iterator[tuple[str, Example, int]]:
    for parts in NAMES:
        for number in range(count):
            rng = np.random.default_rng([FIRST_SEED, number, *parts.encode()])
            yield f"phantom_{parts}", spinal_phantom(parts, rng), number
