from __future__ import annotations

import json
import logging
import pickle
from pathlib import Path

import numpy as np
import pytest

from predict.cases import normalise_image
from train.corpus import (
    CaseEntry,
    Corpus,
    JoinedCorpus,
    LabelledVolume,
    MemoryCorpus,
    compact_image,
    compact_labels,
    read_corpus,
)


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


def test_ids_no_prompt_can_ask_for_become_background() -> None:
    labels = np.array([0, 1, 255, 256, 257, 513], np.uint16)
    assert compact_labels(labels, instance=False).tolist() == [0, 1, 255, 0, 0, 0]
    assert compact_labels(labels, instance=True).tolist() == [0, 1, 1, 1, 1, 1]
    assert compact_labels(labels > 1, instance=False).tolist() == [0, 0, 1, 1, 1, 1]


def test_an_image_is_what_prediction_would_make_of_it() -> None:
    image = np.random.default_rng(0).normal(0, 400, (4, 5, 6))
    assert np.array_equal(compact_image(image), np.rint(normalise_image(image)[0]))
    assert compact_image(np.full((1, 1, 2), 3.6)).tolist() == [[[4, 4]]]


def test_entries_say_what_is_in_memory(volumes: list[LabelledVolume]) -> None:
    corpus: Corpus = MemoryCorpus(volumes, {"CT_A_0": "s1"})
    assert corpus.entries[0] == CaseEntry(
        name="CT_A_0", dataset="CT_A", modality="CT", subject="s1", classes=(1, 2)
    )
    assert corpus.entries[1].subject == "CT_A_1"
    assert corpus.read(3) is volumes[3]


def test_joined_corpora_are_one(volumes: list[LabelledVolume]) -> None:
    parts = [MemoryCorpus(volumes[:1]), MemoryCorpus([]), MemoryCorpus(volumes[1:])]
    corpus: Corpus = JoinedCorpus(parts)
    assert list(corpus.entries) == list(MemoryCorpus(volumes).entries)
    assert [corpus.read(i).name for i in range(4)] == [v.name for v in volumes]
    again = pickle.loads(pickle.dumps(corpus))
    assert np.array_equal(again.read(2).image, volumes[2].image)
    for index in (-1, 4):
        with pytest.raises(IndexError, match=r"expected 0\.\.3"):
            corpus.read(index)
