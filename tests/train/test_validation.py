from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from predict.bundle import load_bundle
from predict.labels import View
from predict.model.text3dsam import Text3DSAM
from predict.predictor import Answer, ImagePredictor
from predict.tokenizer import PromptTokenizer
from train.corpus import LabelledVolume, MemoryCorpus
from train.phrasing import Phrasebook
from train.validation import Validator, mean_scores

CPU = torch.device("cpu")


def _perfect(logits: torch.Tensor, class_ids: list[int]) -> Answer:
    return Answer([View(logits=logits, class_ids=class_ids)], None, (False, False), {})


def _validator(
    volumes: list[LabelledVolume],
    phrasebook: Phrasebook,
    tokenizer: PromptTokenizer,
    most: int = 2,
) -> Validator:
    corpus = MemoryCorpus(volumes)
    return Validator(corpus, range(len(volumes)), phrasebook, tokenizer, most=most, seed=0)


def test_at_most_so_many_cases_of_a_data_set_are_scored(
    volumes: list[LabelledVolume], phrasebook: Phrasebook, tokenizer: PromptTokenizer
) -> None:
    cases = _validator(volumes, phrasebook, tokenizer).cases
    assert len(cases) == 3
    assert cases[-1] == 3  # Microscopy_B_0
    assert set(cases[:2]) < {0, 1, 2}


def test_prompts_are_always_the_same(
    volumes: list[LabelledVolume], phrasebook: Phrasebook, tokenizer: PromptTokenizer
) -> None:
    first, again = (_validator(volumes, phrasebook, tokenizer) for _ in range(2))
    for entry in first.corpus.entries:
        assert first.prompts(entry) == again.prompts(entry)
        assert len(first.prompts(entry)) == len(entry.classes)


def test_a_perfect_answer_scores_one_and_none_zero(
    volumes: list[LabelledVolume],
    phrasebook: Phrasebook,
    tokenizer: PromptTokenizer,
    tiny_model: Text3DSAM,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    validator = _validator(volumes[:1], phrasebook, tokenizer)
    labels = torch.from_numpy(volumes[0].labels)
    answer = torch.stack([labels == 1, torch.zeros_like(labels, dtype=torch.bool)])
    monkeypatch.setattr(ImagePredictor, "set_image", lambda *_: None)
    monkeypatch.setattr(
        ImagePredictor, "predict", lambda _, __, ids: _perfect(10.0 * answer - 5, ids)
    )
    assert validator.score(tiny_model, CPU) == [("CT_A", 0.5)]


def test_processes_share_the_cases(
    volumes: list[LabelledVolume], phrasebook: Phrasebook, tiny_bundle: Path
) -> None:
    bundle = load_bundle(tiny_bundle)
    validator = _validator(volumes, phrasebook, bundle.tokenizer)
    alone = validator.score(bundle.model, CPU)
    shared = [validator.score(bundle.model, CPU, rank, 2) for rank in range(2)]
    assert sorted(shared[0] + shared[1]) == sorted(alone)
    assert len(shared[0]) == 2


def test_means_are_over_cases_and_then_over_data_sets() -> None:
    scores = [("B", 0.2), ("A", 0.5), ("A", 1.0)]
    assert list(mean_scores(scores)) == ["A", "B", "mean"]
    assert mean_scores(scores)["A"] == (2, 0.75)
    assert mean_scores(scores)["mean"] == (3, pytest.approx((0.75 + 0.2) / 2))
    assert mean_scores([]) == {}
    assert not math.isnan(mean_scores(scores)["B"][1])
