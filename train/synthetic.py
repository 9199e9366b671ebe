"""Synthetic volumes mixed into the training, with their phrasings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from examples.volumes import KINDS, make_example
from train.corpus import LabelledVolume, labelled_volume


def synthetic_corpus(seeds: Iterable[int]) -> list[LabelledVolume]:
    """One synthetic volume of every kind per seed."""
    volumes = []
    for seed in seeds:
        for kind in KINDS:
            example = make_example(kind, seed)
            volumes.append(
                labelled_volume(
                    f"{example.name}_{seed}",
                    synthetic_dataset(kind),
                    example.modality,
                    example.image,
                    example.labels,
                    set(example.prompts),
                    example.instance,
                )
            )
    return volumes


def synthetic_dataset(kind: str) -> str:
    """Data set name of a kind of synthetic volume."""
    return f"synthetic_{kind}"


def synthetic_prompts(seeds: Iterable[int]) -> Mapping[str, Mapping[int, tuple[str, ...]]]:
    """Phrasings of the synthetic data sets, merged over the seeds."""
    merged: dict[str, dict[int, tuple[str, ...]]] = {}
    for seed in seeds:
        for kind in KINDS:
            merged.setdefault(synthetic_dataset(kind), {}).update(make_example(kind, seed).prompts)
    return merged
