"""The training loop."""

from __future__ import annotations

import csv
import logging
import math
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from predict.model.config import ModelConfig
from predict.model.text3dsam import Text3DSAM
from predict.tokenizer import PromptTokenizer
from train.config import Phase, TrainConfig
from train.corpus import LabelledVolume
from train.loss import dice_focal
from train.phrasing import Phrasebook
from train.sampling import Batch, StepStream
from train.state import AveragedWeights, Progress, load_run, new_model, save_run, write_checkpoint
from train.text_pretraining import pretrain_text

logger = logging.getLogger(__name__)


def fit(
    volumes: Sequence[LabelledVolume],
    phrasebook: Phrasebook,
    tokenizer: PromptTokenizer,
    model_config: ModelConfig,
    config: TrainConfig,
    out: Path,
) -> Path:
    """Train a network, going on from OUT/run.pt if it is there.

    Writes OUT/run.pt (to resume), OUT/log.csv and OUT/checkpoint/ (averaged weights, ready for
    ``python -m predict export``).

    Returns:
        The checkpoint folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = new_model(model_config, config.seed).to(device)
    optimizer = torch.optim.AdamW(_parameter_groups(model, config))
    run_file, progress = out / "run.pt", Progress()
    if not run_file.exists():
        classes = sorted({(v.dataset, c) for v in volumes for c in v.classes})
        pretrain_text(
            model, tokenizer, phrasebook, classes, steps=config.text_steps, seed=config.seed
        )
    average = AveragedWeights(model, config.ema_decay)
    if run_file.exists():
        progress = load_run(run_file, model, optimizer, average)
        logger.info("resumed at step %d, %.1f min", progress.step, progress.seconds / 60)
    run = _Run(model, optimizer, average, tokenizer, config, progress, out)
    for phase in config.phases:
        if progress.share(config) < phase.until:
            stream = StepStream(
                volumes,
                phrasebook,
                phase.image_size,
                model_config.image_encoder.stem_stride,
                config.sampling,
                (config.seed, progress.step),
            )
            run.train_phase(phase, stream)
    run.save()
    write_checkpoint(out / "checkpoint", average.values, model_config, tokenizer.tokenizer)
    return out / "checkpoint"


@dataclass
class _Run:
    """The moving parts of a run."""

    model: Text3DSAM
    optimizer: torch.optim.Optimizer
    average: AveragedWeights
    tokenizer: PromptTokenizer
    config: TrainConfig
    progress: Progress
    out: Path

    def train_phase(self, phase: Phase, stream: StepStream) -> None:
        """Step until the phase's share of the time is used up; checkpoints on the way."""
        loader = DataLoader(stream, batch_size=None, num_workers=1, prefetch_factor=4)
        self.model.train()
        saved = last = time.monotonic()
        for batch in loader:
            share = self.progress.share(self.config)
            if share >= phase.until:
                break
            for group in self.optimizer.param_groups:
                rate = _learning_rate(self.progress.seconds / 60, self.config)
                group["lr"] = rate * group["rate"]
            if share >= self.config.freeze_norm_at:
                _freeze_norms(self.model)
            losses = self._step(batch, phase.pass_weights)
            self.average.update(self.model)
            now = time.monotonic()
            self.progress.step += 1
            self.progress.seconds += now - last
            last = now
            _log(self.out / "log.csv", self.progress, losses)
            if now - saved > 60 * self.config.checkpoint_minutes:
                self.save()
                saved = now

    def save(self) -> None:
        """Write OUT/run.pt."""
        save_run(self.out / "run.pt", self.model, self.optimizer, self.average, self.progress)

    def _step(self, batch: Batch, pass_weights: Sequence[float]) -> tuple[float, float]:
        """One optimiser step; returns the last pass's Dice and focal terms."""
        device = next(self.model.parameters()).device
        prompts = self.tokenizer.encode(batch.texts)
        targets = batch.targets.to(device)
        # On a CPU, oneDNN's BF16 convolution gradients on grids of few voxels are not finite.
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            features = self.model.encode_image(batch.images.to(device))
            text = self.model.encode_text(prompts.ids.to(device), prompts.mask.to(device))
            passes = self.model.decode(
                features.select(batch.image_of_prompt.to(device)), text, len(pass_weights) - 1
            )
        terms = [dice_focal(output.logits.float(), targets) for output in passes]
        loss = torch.stack(
            [
                weight * (term.dice + self.config.focal_weight * term.focal)
                for weight, term in zip(pass_weights, terms, strict=True)
            ]
        ).sum()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0, error_if_nonfinite=True)
        self.optimizer.step()
        return terms[-1].dice.item(), terms[-1].focal.item()


def _parameter_groups(model: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Text and image side at their own rates; vectors (norms, biases) without weight decay."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        groups[name.startswith("text_"), parameter.ndim > 1].append(parameter)
    return [
        {
            "params": parameters,
            "rate": config.text_rate if text else 1.0,
            "weight_decay": config.weight_decay if matrix else 0.0,
        }
        for (text, matrix), parameters in groups.items()
    ]


def _learning_rate(minutes: float, config: TrainConfig) -> float:
    if minutes < config.warmup_minutes:
        return config.learning_rate * (minutes + 0.02) / config.warmup_minutes
    share = (minutes - config.warmup_minutes) / (config.minutes - config.warmup_minutes)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


def _freeze_norms(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.eval()


def _log(path: Path, progress: Progress, losses: tuple[float, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(("step", "seconds", "dice", "focal"))
        writer.writerow((progress.step, f"{progress.seconds:.1f}", *(f"{x:.5f}" for x in losses)))
