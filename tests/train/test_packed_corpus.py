from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from predict.errors import CaseError, UsageError
from train.catalogue import Catalogue
from train.corpus import Corpus, MemoryCorpus, read_corpus
from train.index_build import build_index
from train.pack_build import build_packs
from train.packed_corpus import PackedCorpus
from train.packing import PackSettings
from train.source_files import SplitRoot


@pytest.fixture
def packed(
    tmp_path: Path, corpus_folder: Path, catalogue: Catalogue, write_case: Callable[..., Path]
) -> PackedCorpus:
    """The corpus of the other tests at its own size, and one case of another split."""
    write_case("CT/CT_A/other.npz", gts=np.full((6, 10, 8), 2))
    roots = [
        SplitRoot(split="train", folder=corpus_folder / "data"),
        SplitRoot(split="val", folder=tmp_path / "data"),
    ]
    build_index(tmp_path / "index", roots, catalogue, 0)
    build_packs(tmp_path / "index", tmp_path / "cache", PackSettings(), 0)
    return PackedCorpus(tmp_path / "cache", tmp_path / "index", "train")


def test_it_reads_what_the_corpus_in_memory_holds(
    packed: PackedCorpus, corpus_folder: Path
) -> None:
    memory: Corpus = MemoryCorpus(
        read_corpus(corpus_folder / "data", corpus_folder / "prompts.json")
    )
    corpus: Corpus = packed
    assert list(corpus.entries) == list(memory.entries)
    for i in range(len(memory.entries)):
        ours, theirs = corpus.read(i), memory.read(i)
        assert isinstance(ours.image, np.memmap)
        assert np.array_equal(ours.image, theirs.image)
        assert np.array_equal(ours.labels, theirs.labels)
        assert (ours.name, ours.dataset, ours.modality, ours.classes) == (
            *(theirs.name, theirs.dataset, theirs.modality, theirs.classes),
        )


@pytest.mark.usefixtures("packed")
def test_a_split_or_all_of_them(tmp_path: Path) -> None:
    assert [
        e.name for e in PackedCorpus(tmp_path / "cache", tmp_path / "index", "val").entries
    ] == ["other"]
    assert len(PackedCorpus(tmp_path / "cache", tmp_path / "index").entries) == 5
    with pytest.raises(UsageError, match="expected cases of split test, found none"):
        PackedCorpus(tmp_path / "cache", tmp_path / "index", "test")


def test_it_can_be_pickled_and_holds_no_volume(packed: PackedCorpus) -> None:
    packed.read(0)
    data = pickle.dumps(packed)
    assert len(data) < 2000
    again = pickle.loads(data)
    assert again.entries == packed.entries
    assert np.array_equal(again.read(1).labels, packed.read(1).labels)


@pytest.mark.usefixtures("packed")
def test_a_class_that_did_not_fit_is_not_promised(tmp_path: Path) -> None:
    build_packs(tmp_path / "index", tmp_path / "tiny", PackSettings((1, 1, 1)), 0)
    corpus = PackedCorpus(tmp_path / "tiny", tmp_path / "index", "train")
    assert corpus.entries[0].classes == (1, 2)
    volume = corpus.read(0)
    assert volume.labels.shape == (1, 1, 1)
    assert volume.classes == (int(volume.labels[0, 0, 0]),)


def test_missing_and_damaged_packs(packed: PackedCorpus, tmp_path: Path) -> None:
    path = tmp_path / "cache" / packed.names[2]
    path.write_bytes(b"junk")
    with pytest.raises(CaseError, match="expected a pack"):
        packed.read(2)
    path.unlink()
    with pytest.raises(UsageError, match="expected packs of 4 cases, 1 are missing"):
        PackedCorpus(tmp_path / "cache", tmp_path / "index", "train")
    with pytest.raises(UsageError, match="expected a packed cache"):
        PackedCorpus(tmp_path, tmp_path / "index")
