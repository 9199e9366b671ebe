from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from predict.errors import UsageError
from train.cli import main
from train.config import SamplingConfig
from train.sources import open_source, read_subjects


def test_the_challenge_layout_is_read_with_its_prompts(corpus_folder: Path) -> None:
    source = open_source(
        corpus_folder / "data",
        corpus_folder / "prompts.json",
        corpus_folder / "provenance.json",
    )
    assert [e.name for e in source.corpus.entries][:2] == ["CT_A_0", "CT_A_1"]
    assert source.phrasebook.class_name("CT_A", 2) == "left kidney"
    assert source.corpus.read(3).dataset == "Microscopy_B"


def test_synthetic_volumes_are_mixed_in(corpus_folder: Path) -> None:
    data, prompts = corpus_folder / "data", corpus_folder / "prompts.json"
    source = open_source(
        data, prompts, None, mixed_in=SamplingConfig(synthetic_volumes=1, phantoms=2)
    )
    synthetic = [e for e in source.corpus.entries if e.dataset.startswith(("synthetic", "phantom"))]
    assert {"phantom_cord", "phantom_matter"} <= {e.dataset for e in synthetic}
    assert source.phrasebook.class_name("phantom_cord", 1) == "spinal cord"
    assert len(source.corpus.entries) == 4 + len(synthetic)
    assert synthetic
    for entry in synthetic:
        for class_id in entry.classes:
            assert source.phrasebook.sample(entry.dataset, class_id, random.Random(0))


def test_a_flat_folder_brings_its_own_prompts(write_npz: Callable[..., Path]) -> None:
    labels = np.ones((6, 7, 8), np.uint8)
    folder = write_npz(gts=labels).parent
    source = open_source(folder, None, None)
    (entry,) = source.corpus.entries
    assert source.phrasebook.sample(entry.dataset, 1, random.Random(0)) == "liver"


def test_what_is_neither_is_refused(corpus_folder: Path, tmp_path: Path) -> None:
    for data in (tmp_path, tmp_path / "nowhere", corpus_folder / "data"):
        with pytest.raises(UsageError, match="and --prompts"):
            open_source(data, None, None)
    with pytest.raises(UsageError, match="found none"):
        open_source(tmp_path, corpus_folder / "prompts.json", None)


def test_subjects_come_from_the_provenance(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('{"train": {"a": {"subject": "s1"}, "b": {}}}')
    assert read_subjects(path) == {"a": "s1", "b": "b"}
    assert read_subjects(None) == {}
    path.write_text('{"train": []}')
    with pytest.raises(UsageError, match="expected train -> case -> subject"):
        read_subjects(path)


def test_packs_are_opened_with_their_index(corpus_folder: Path, tmp_path: Path) -> None:
    data, prompts = corpus_folder / "data", corpus_folder / "prompts.json"
    index, cache = tmp_path / "index.sqlite", tmp_path / "cache"
    assert main(["index", str(data), str(prompts), "--out", str(index), "--workers", "0"]) == 0
    assert main(["pack", str(index), str(cache), "--workers", "0"]) == 0
    plain = open_source(data, prompts, None).corpus
    packed = open_source(cache, prompts, None, index=index).corpus
    assert list(packed.entries) == list(plain.entries)
    for i in range(len(plain.entries)):
        np.testing.assert_array_equal(packed.read(i).labels, plain.read(i).labels)
