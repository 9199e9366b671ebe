"""Fixtures of the training tests: a corpus of two small data sets and its prompts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

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
