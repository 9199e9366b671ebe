"""Fixtures of the training tests: a corpus of two small data sets and its prompts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from train.catalogue import Catalogue
from train.corpus import LabelledVolume, read_corpus
from train.phrasing import Phrasebook

PROMPTS = {
    "CT_A": {
        "1": ["liver in abdominal CT", "hepatic parenchyma, abdominal CT"],
        "2": ["left kidney in abdominal CT", "kidney on the left, abdominal CT"],
        "instance_label": 0,
    },
    "Microscopy_B": {
        "1": ["nuclei in light microscopy", "each nucleus in light microscopy"],
        "instance_label": 1,
    },
}
NAMES = {"CT_A": {"1": "liver", "2": "left kidney"}, "Microscopy_B": {"1": "cell nucleus"}}


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ROOT/MODALITY/DATASET/*.npz, prompts.json and provenance.json."""
    root = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    cases = {}
    for dataset, modality, count in (("CT_A", "CT", 3), ("Microscopy_B", "Microscopy", 1)):
        folder = root / "data" / modality / dataset
        folder.mkdir(parents=True)
        for i in range(count):
            image = rng.integers(0, 255, (12, 20, 16), dtype=np.uint8)
            labels = np.zeros(image.shape, np.uint16)
            labels[2:8, 4:12, 2:8], labels[4:10, 6:16, 10:14] = 1, 2
            np.savez_compressed(folder / f"{dataset}_{i}.npz", imgs=image, gts=labels)
            cases[f"{dataset}_{i}"] = {"dataset": dataset, "classes": NAMES[dataset]}
    (root / "prompts.json").write_text(json.dumps(PROMPTS))
    (root / "provenance.json").write_text(json.dumps({"train": cases}))
    return root


@pytest.fixture(scope="session")
def volumes(corpus_folder: Path) -> list[LabelledVolume]:
    """The corpus in memory."""
    return read_corpus(corpus_folder / "data", corpus_folder / "prompts.json")


@pytest.fixture(scope="session")
def phrasebook(corpus_folder: Path) -> Phrasebook:
    """Its prompts."""
    return Phrasebook.load(corpus_folder / "prompts.json", corpus_folder / "provenance.json")


@pytest.fixture(scope="session")
def catalogue(corpus_folder: Path) -> Catalogue:
    """Its prompts, for the index."""
    return Catalogue.load(corpus_folder / "prompts.json")


@pytest.fixture
def write_case(tmp_path: Path) -> Callable[..., Path]:
    """Write a case below tmp_path/data: random image, two boxes as labels, unless given."""

    def write(path: str, *, seed: int = 0, **replaced: object) -> Path:
        labels = np.zeros((6, 10, 8), np.uint8)
        labels[1:4, 2:6, 1:4], labels[2:5, 3:8, 5:7] = 1, 2
        image = np.random.default_rng(seed).integers(0, 256, labels.shape, dtype=np.uint8)
        keys: dict[str, object] = {"imgs": image, "gts": labels, **replaced}
        file = tmp_path / "data" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        arrays = {k: np.asarray(v) for k, v in keys.items() if v is not None}
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        return file

    return write
