"""Throughput of the engine's way of working against a plain loop, side by side in one run.

The plain loop is what the published code does for every (case, class) pair: unpack the whole npz,
resize it in full, one image and one prompt through the network, an optimiser step after
``images_per_step`` pairs.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader

from predict.errors import UsageError
from predict.predictor import choose_device
from predict.tokenizer import PromptTokenizer
from train.config import Phase, TrainConfig
from train.config_file import read_config
from train.corpus import CaseEntry
from train.network import new_model, with_vocabulary
from train.objective import Objective
from train.sampling import Batch, Sample, SampleDataset, SlotSampler, collate
from train.sources import Source, open_source
from train.vocabulary import medical_words, train_vocabulary


class Rate(NamedTuple):
    """Volumes and pairs of a prompt and its mask per second."""

    images: float
    masks: float


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``bench``."""
    parser = commands.add_parser("bench", help="speed against one image, one prompt, raw npz")
    parser.set_defaults(run=_bench)
    parser.add_argument("--data", type=Path, required=True, help="ROOT/MODALITY/DATASET/*.npz")
    parser.add_argument("--prompts", type=Path, required=True, help="as of fit")
    parser.add_argument("--config", type=Path, default=Path("default.yaml"), help="as of fit")
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="as of fit")
    parser.add_argument("--steps", type=int, default=4, help="optimiser steps of a round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, the two taking turns")


def _bench(arguments: argparse.Namespace) -> None:
    config = read_config(arguments.config, arguments.overrides)
    begin = time.perf_counter()
    source = open_source(arguments.data, arguments.prompts, None)
    print(f"{len(source.corpus.entries)} cases opened in {time.perf_counter() - begin:.1f} s")
    paths = {path.stem: path for path in arguments.data.glob("*/*/*.npz")}
    if not paths:
        raise UsageError(f"{arguments.data}: expected MODALITY/DATASET/*.npz for the plain loop")
    contest = _Contest.set_up(source, config)
    engine, plain = contest.engine_steps(), contest.plain_steps(paths)
    for steps in (engine, plain):
        contest.measure(steps, 1)
    rounds = [
        (contest.measure(engine, arguments.steps), contest.measure(plain, arguments.steps))
        for _ in range(arguments.rounds)
    ]
    for i, unit in enumerate(("images/s", "masks/s")):
        fast, slow = (median(pair[side][i] for pair in rounds) for side in (0, 1))
        ratios = sorted(pair[0][i] / pair[1][i] for pair in rounds)
        print(
            f"{unit:9} engine {fast:7.2f}  plain {slow:7.2f}  ratio {median(ratios):5.2f} "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f} in {len(rounds)} rounds)"
        )


@dataclass
class _Contest:
    """One network and optimiser that both ways of working feed."""

    source: Source
    config: TrainConfig
    phase: Phase
    dataset: SampleDataset
    objective: Objective
    optimizer: torch.optim.Optimizer
    tokenizer: PromptTokenizer
    device: torch.device

    @classmethod
    def set_up(cls, source: Source, config: TrainConfig) -> _Contest:
        """A new network for the last phase of a configuration."""
        device = choose_device()
        tokenizer = train_vocabulary(source.phrasebook.all_texts(), medical_words())
        network = with_vocabulary(config.network, tokenizer.get_vocab_size())
        phase = config.phases_of(network)[-1]
        model = new_model(network, config.seed).to(device)
        objective = Objective(model, config.loss, bf16=device.type == "cuda")
        dataset = SampleDataset(
            source.corpus,
            range(len(source.corpus.entries)),
            source.phrasebook,
            phase.image_size,
            config.sampling,
            config.augmentation,
            config.seed,
        )
        optimizer = torch.optim.AdamW(p for p in model.parameters() if p.requires_grad)
        tokens = PromptTokenizer(tokenizer)
        return cls(source, config, phase, dataset, objective, optimizer, tokens, device)

    def engine_steps(self) -> Iterator[Iterable[Batch]]:
        """Steps of the engine: several prompts per volume, prepared by workers."""
        images = self.config.sampling.images_per_step
        sampler = SlotSampler(images, accumulation=1, rank=0, processes=1, start=0)
        workers = self.config.sampling.workers
        loader = DataLoader(
            self.dataset, batch_sampler=sampler, collate_fn=collate, num_workers=workers
        )
        return ([batch] for batch in loader)

    def plain_steps(self, paths: Mapping[str, Path]) -> Iterator[Iterable[Batch]]:
        """Steps of the plain loop: pairs drawn as often as the engine draws, read when needed."""
        entries = self.source.corpus.entries
        datasets = self.dataset.by_dataset
        shares = dict(zip(self.dataset.datasets, self.dataset.probabilities, strict=True))
        cases = [i for indices in datasets.values() for i in indices if entries[i].name in paths]
        weights = [shares[entries[i].dataset] / len(datasets[entries[i].dataset]) for i in cases]
        rng = random.Random(self.config.seed)
        while True:
            chosen = rng.choices(cases, weights, k=self.config.sampling.images_per_step)
            yield (self._pair(paths[entries[i].name], entries[i], rng) for i in chosen)

    def measure(self, steps: Iterator[Iterable[Batch]], count: int) -> Rate:
        """Train for some steps."""
        images = masks = 0
        begin = time.perf_counter()
        for step in islice(steps, count):
            for batch in step:
                prompts = self.tokenizer.encode(batch.texts)
                tensors = (batch.images, batch.image_of_prompt, *prompts[:2], batch.masks)
                moved = (tensor.to(self.device) for tensor in tensors)
                self.objective(*moved, pass_weights=self.phase.pass_weights).loss.backward()
                images += len(batch.images)
                masks += len(batch.texts)
            self.optimizer.step()
            self.optimizer.zero_grad()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - begin
        return Rate(images / seconds, masks / seconds)

    def _pair(self, path: Path, entry: CaseEntry, rng: random.Random) -> Batch:
        with np.load(path) as arrays:
            image, labels = arrays["imgs"], arrays["gts"]
        class_id = rng.choice(entry.classes)
        size = self.phase.image_size
        volume = torch.from_numpy(image.astype(np.float32))[None, None]
        mask = torch.from_numpy((labels == class_id).astype(np.float32))[None, None]
        resized = F.interpolate(volume, size, mode="trilinear", align_corners=False)[0, 0]
        target = F.interpolate(mask, size, mode="nearest")[0] > 0
        text = self.source.phrasebook.sample(entry.dataset, class_id, rng)
        return collate([Sample(resized, [text], target)])
