"""Fixtures of the training tests: a corpus of two small data sets and its prompts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from predict.model.config import ModelConfig
from predict.tokenizer import PromptTokenizer
from train.catalogue import Catalogue
from train.config import (
    AugmentationConfig,
    LengthConfig,
    OptimizerConfig,
    SamplingConfig,
    TrainConfig,
    ValidationConfig,
)
from train.corpus import LabelledVolume, read_corpus
from train.phrasing import Phrasebook
from train.vocabulary import train_vocabulary

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


@pytest.fixture(scope="session")
def tokenizer(phrasebook: Phrasebook) -> PromptTokenizer:
    """A vocabulary of the corpus."""
    return PromptTokenizer(train_vocabulary(phrasebook.all_texts(), ()))


@pytest.fixture(scope="session")
def small_network(tiny_config: ModelConfig, tokenizer: PromptTokenizer) -> ModelConfig:
    """The tiny network for that vocabulary, without dropout."""
    size = tokenizer.tokenizer.get_vocab_size()
    text = replace(tiny_config.text_encoder, vocab_size=size, dropout=0.0)
    return replace(tiny_config, image_size=(32, 32, 32), text_encoder=text)


@pytest.fixture
def small_run(small_network: ModelConfig) -> TrainConfig:
    """Four steps of four volumes on the tiny network, all that is random switched on."""
    return TrainConfig(
        length=LengthConfig(steps=4),
        network=small_network,
        sampling=SamplingConfig(images_per_step=4, prompts_per_image=2, workers=0),
        augmentation=AugmentationConfig(quarter_turn=0.3),
        optimizer=OptimizerConfig(learning_rate=1e-3, warmup=0.25),
        validation=ValidationConfig(fraction=0.0),
        ema_decay=0.9,
    )


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks of a few voxels: a second thread only waits, the more so where cores are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
