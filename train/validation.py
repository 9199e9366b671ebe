"""Dice of held-out cases during a run, through the same path as a prediction."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean

import torch

from evaluate.scoring import score
from predict.bundle import Bundle
from predict.labels import fuse_labels
from predict.model.text3dsam import Text3DSAM
from predict.pipeline import Pipeline
from predict.predictor import ImagePredictor
from predict.tokenizer import PromptTokenizer
from train.corpus import CaseEntry, Corpus
from train.holdout import hash_name
from train.logbook import MEAN
from train.phrasing import Phrasebook


class Validator:
    """Scores held-out cases on the grid of their own labels.

    Objects of instance cases count as one mask, as they are trained. Prompts are wordings chosen
    once and for all, so that two validations differ only by the weights.
    """

    def __init__(
        self,
        corpus: Corpus,
        held_out: Sequence[int],
        phrasebook: Phrasebook,
        tokenizer: PromptTokenizer,
        *,
        most: int,
        seed: int,
    ) -> None:
        """Choose at most ``most`` cases of every data set, by hash."""
        self.corpus, self.phrasebook, self.tokenizer = corpus, phrasebook, tokenizer
        self.seed = seed
        by_dataset: dict[str, list[int]] = defaultdict(list)
        for index in held_out:
            if corpus.entries[index].classes:
                by_dataset[corpus.entries[index].dataset].append(index)

        def order(index: int) -> str:
            return hash_name(corpus.entries[index].name, seed)

        self.cases = [
            i for d in sorted(by_dataset) for i in sorted(by_dataset[d], key=order)[:most]
        ]

    def score(
        self, model: Text3DSAM, device: torch.device, rank: int = 0, processes: int = 1
    ) -> list[tuple[str, float]]:
        """(data set, Dice) of this process's share of the cases.

        Args:
            model: In eval mode; not changed.
            device: Where to compute.
            rank: Of this process.
            processes: How many share the work.
        """
        predictor = ImagePredictor(Bundle(model, Pipeline(), self.tokenizer, {}, ""), device)
        return [self._score_case(predictor, i) for i in self.cases[rank::processes]]

    def _score_case(self, predictor: ImagePredictor, index: int) -> tuple[str, float]:
        volume, entry = self.corpus.read(index), self.corpus.entries[index]
        predictor.set_image(volume.image)
        answer = predictor.predict(self.prompts(entry), entry.classes)
        depth, height, width = volume.labels.shape
        scores = score(
            fuse_labels(answer.views, (depth, height, width)),
            volume.labels,
            spacing=(1.0, 1.0, 1.0),
            class_ids=entry.classes,
            instance=False,
            surfaces=False,
        )
        return entry.dataset, scores.dsc

    def prompts(self, entry: CaseEntry) -> list[str]:
        """One wording for every class of a case, always the same."""
        rng = random.Random(f"{self.seed}/{entry.name}")
        return [self.phrasebook.sample(entry.dataset, c, rng) for c in entry.classes]


def mean_scores(scores: Sequence[tuple[str, float]]) -> Mapping[str, tuple[int, float]]:
    """(Cases, mean Dice) per data set, sorted, and over the data sets under ``mean``."""
    grouped: dict[str, list[float]] = defaultdict(list)
    for dataset, dice in scores:
        grouped[dataset].append(dice)
    means = {
        dataset: (len(grouped[dataset]), fmean(grouped[dataset])) for dataset in sorted(grouped)
    }
    if means:
        means[MEAN] = (len(scores), fmean(dice for _, dice in means.values()))
    return means
