from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from train.corpus import CaseEntry, JoinedCorpus, LabelledVolume, MemoryCorpus, read_corpus


def test_volumes_are_compact_and_know_their_classes(volumes: list[LabelledVolume]) -> None:
    assert [v.name for v in volumes] == ["CT_A_0", "CT_A_1", "CT_A_2", "Microscopy_B_0"]
    assert [v.modality for v in volumes] == ["CT"] * 3 + ["Microscopy"]
    assert all(v.image.dtype == v.labels.dtype == np.uint8 for v in volumes)
    assert volumes[0].classes == (1, 2)


def test_objects_of_an_instance_case_are_one_class(volumes: list[LabelledVolume]) -> None:
    assert np.unique(volumes[3].labels).tolist() == [0, 1]
    assert volumes[3].classes == (1,)


def test_what_cannot_be_used_is_logged_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "CT" / "CT_A"
    folder.mkdir(parents=True)
    image = np.zeros((4, 4, 4), np.uint8)
    (folder / "broken.npz").write_bytes(b"no zip")
    np.savez(folder / "keyless.npz", imgs=image)
    np.savez(folder / "odd.npz", imgs=image, gts=image[:2])
    np.savez(folder / "unknown_label.npz", imgs=image, gts=np.full_like(image, 9))
    stray = tmp_path / "CT" / "CT_unknown"
    stray.mkdir()
    np.savez(stray / "a.npz", imgs=image, gts=image)
    prompts = tmp_path / "prompts.json"
    prompts.write_text(json.dumps({"CT_A": {"1": ["liver"], "instance_label": 0}}))
    with caplog.at_level(logging.WARNING):
        volumes = read_corpus(tmp_path, prompts)
    assert [(v.name, v.classes) for v in volumes] == [("unknown_label", ())]
    for name in ("broken.npz", "keyless.npz", "odd.npz", "CT_unknown"):
        assert name in caplog.text


def test_a_corpus_in_memory_lists_and_reads_its_cases(volumes: list[LabelledVolume]) -> None:
    corpus = MemoryCorpus(volumes, {"CT_A_0": "anna", "CT_A_2": "anna"})
    assert [e.name for e in corpus.entries] == [v.name for v in volumes]
    assert [e.subject for e in corpus.entries] == ["anna", "CT_A_1", "anna", "Microscopy_B_0"]
    assert corpus.entries[1] == CaseEntry(
        name="CT_A_1", dataset="CT_A", modality="CT", subject="CT_A_1", classes=(1, 2)
    )
    assert corpus.read(3) is volumes[3]


def test_joined_corpora_follow_each_other(volumes: list[LabelledVolume]) -> None:
    corpus = JoinedCorpus([MemoryCorpus(volumes[:1]), MemoryCorpus([]), MemoryCorpus(volumes[1:])])
    assert [e.name for e in corpus.entries] == [v.name for v in volumes]
    assert [corpus.read(i) for i in range(4)] == volumes
