"""The training loop, on accelerate.

Why accelerate and not transformers.Trainer: images here carry different numbers of prompts, of
which a loss must be the mean over the global batch; every pass has its own weight and phases change
grid and passes; a run may be as long as a clock says; weights are averaged; and a resumed run draws
what it would have drawn. Trainer would need its sampler, loss, scheduler, callbacks and checkpoint
code replaced for that, and hide what is left. accelerate wraps the one module and the optimiser for
DDP or ZeRO-2 by a configuration file and leaves the loop, some fifty lines, to read.
"""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.utils import DistributedType, gather_object
from torch.utils.data import DataLoader

from predict.errors import UsageError
from predict.known_prompts import NOTHING, KnownPrompts
from predict.model.text3dsam import Text3DSAM
from predict.tokenizer import PromptTokenizer
from train.averaging import AveragedWeights
from train.checkpoints import STATE, new_checkpoint, newest_state, replace_folder
from train.config import Phase, TrainConfig
from train.config_file import build_config, config_text, parse_yaml
from train.corpus import Corpus
from train.holdout import split_subjects
from train.logbook import MEAN, Logbook
from train.network import write_checkpoint
from train.objective import LossSums, Objective
from train.optimizer import parameter_groups
from train.phrasing import Phrasebook
from train.processes import start_accelerator
from train.prompt_list import classes_of, list_prompts
from train.sampling import Batch, SampleDataset, SlotSampler, collate
from train.schedule import Progress, Schedule
from train.sync_norm import synchronise_norms
from train.text_pretraining import pretrain_text
from train.validation import Validator, mean_scores

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingData:
    """Cases, their wordings, and the tokenizer that reads these.

    Attributes:
        known_before: What the network was trained on before; None where that is not known.
    """

    corpus: Corpus
    phrasebook: Phrasebook
    tokenizer: PromptTokenizer
    known_before: KnownPrompts | None = NOTHING


def fit(data: TrainingData, model: Text3DSAM, config: TrainConfig, out: Path) -> Path:
    """Train a network, going on from the newest checkpoint in OUT if there is one.

    Writes OUT/config.yaml, OUT/checkpoints/step-N (the last two; each can also be exported),
    OUT/best where cases are held out, and the tables and pictures of ``train.logbook``.

    Returns:
        OUT.

    Raises:
        UsageError: OUT holds a run of another configuration, or the settings do not fit together.
    """
    engine = Engine(data, model, config, out)
    engine.run()
    return out


class Engine:
    """A run and its moving parts."""

    def __init__(
        self, data: TrainingData, model: Text3DSAM, config: TrainConfig, out: Path
    ) -> None:
        """Set a run up: devices, split, network, optimiser, and what a checkpoint holds of them."""
        self.data, self.config, self.out = data, config, out
        self.phases = config.phases_of(model.config)
        self.accelerator = start_accelerator(config, self.phases)
        self._check_run()
        self.progress = Progress()
        self.training, held_out = split_subjects(
            data.corpus.entries, config.validation.fraction, config.seed
        )
        self.validator = Validator(
            data.corpus,
            held_out,
            data.phrasebook,
            data.tokenizer,
            most=config.validation.cases,
            seed=config.seed,
        )
        self.schedule = self._plan()
        self._prepare(model)
        self.saved_at = self.progress.seconds
        self.logbook = Logbook(out, self.progress.step) if self._is_main else None

    def run(self) -> None:
        """All phases, then a last checkpoint and validation."""
        for phase in self.phases:
            if self.schedule.share(self.progress) < phase.until:
                self._train_phase(phase)
        self._validate()
        self._save()
        if self.logbook is not None:
            self.logbook.close()
        self.accelerator.end_training()

    @property
    def _is_main(self) -> bool:
        return bool(self.accelerator.is_main_process)

    @property
    def _inner(self) -> Objective:
        inner = self.accelerator.unwrap_model(self.objective)
        assert isinstance(inner, Objective)
        return inner

    def _check_run(self) -> None:
        """Write the configuration down; go on with the same one only, but for its length."""
        path = self.out / "config.yaml"
        if path.exists():
            before = build_config(parse_yaml(path.read_text(), str(path)), str(path))
            differing = [
                name
                for name, value in vars(self.config).items()
                if name != "length" and getattr(before, name) != value
            ]
            if differing:
                raise UsageError(
                    f"{self.out}: expected the configuration of the run that is there, "
                    f"received other values of {', '.join(differing)}"
                )
        self.accelerator.wait_for_everyone()
        if self._is_main:
            self.out.mkdir(parents=True, exist_ok=True)
            path.write_text(config_text(self.config))

    def _plan(self) -> Schedule:
        entries = [self.data.corpus.entries[i] for i in self.training]
        pairs = sum(len(entry.classes) for entry in entries)
        if not pairs:
            raise UsageError(f"expected cases with labels, found none in {len(entries)} cases")
        return Schedule.plan(
            self.config.length,
            self.config.optimizer.warmup,
            pairs=pairs,
            prompts_per_step=self._dataset(self.phases[-1]).prompts_per_step(),
        )

    def _prepare(self, model: Text3DSAM) -> None:
        """Restore or begin, then wrap network and optimiser."""
        config, accelerator = self.config, self.accelerator
        found = newest_state(self.out / "checkpoints")
        model.to(accelerator.device)
        synchronise_norms(model)
        objective = Objective(
            model,
            config.loss,
            frozen_text=config.text_encoder.mode == "frozen",
            bf16=config.precision == "bf16" and accelerator.device.type == "cuda",
            checkpoint_encoder=config.checkpoint_encoder,
        )
        if found is None:
            self._pretrain_text(model)
        else:
            model.load_state_dict(found[1]["model"])
        self.average = AveragedWeights(model, config.ema_decay)
        optimizer = torch.optim.AdamW(parameter_groups(model, config), lr=0.0)
        self.objective, self.optimizer = accelerator.prepare(objective, optimizer)
        if found is not None:
            self._restore(*found)

    def _pretrain_text(self, model: Text3DSAM) -> None:
        entries = (self.data.corpus.entries[i] for i in self.training)
        pretrain_text(
            model,
            self.data.tokenizer,
            self.data.phrasebook,
            sorted({(entry.dataset, c) for entry in entries for c in entry.classes}),
            steps=self.config.text_encoder.pretraining_steps,
            seed=self.config.seed,
        )

    def _restore(self, folder: Path, state: dict[str, Any]) -> None:
        if self.accelerator.distributed_type is DistributedType.DEEPSPEED:
            self.accelerator.load_state(str(folder / "deepspeed"))
        else:
            self.optimizer.load_state_dict(state["optimizer"])
        values = {k: v.to(self.accelerator.device) for k, v in state["average"].items()}
        self.average.values, self.average.updates = values, state["updates"]
        self.progress = Progress(**state["progress"])
        logger.info("resumed at step %d, %.1f min", self.progress.step, self.progress.seconds / 60)

    def _dataset(self, phase: Phase) -> SampleDataset:
        return SampleDataset(
            self.data.corpus,
            self.training,
            self.data.phrasebook,
            phase.image_size,
            self.config.sampling,
            self.config.augmentation,
            self.config.seed,
        )

    def _batches(self, phase: Phase) -> Iterator[Batch]:
        """This process's parts of the steps, from the present step on."""
        workers = self.config.sampling.workers
        sampler = SlotSampler(
            self.config.sampling.images_per_step,
            accumulation=self.config.optimizer.accumulation,
            rank=self.accelerator.process_index,
            processes=self.accelerator.num_processes,
            start=self.progress.step,
        )
        loader = DataLoader(
            self._dataset(phase),
            batch_sampler=sampler,
            collate_fn=collate,
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            pin_memory=self.accelerator.device.type == "cuda",
        )
        return iter(loader)

    def _train_phase(self, phase: Phase) -> None:
        """Step until the phase's share of the run is done; checkpoints and validations between."""
        self.objective.train()
        batches, config = self._batches(phase), self.config
        while (share := self.schedule.share(self.progress)) < phase.until:
            if share >= config.freeze_norm_at:
                self._inner.freeze_norms()
            self._step(batches, phase, config.optimizer.learning_rate * self.schedule.rate(share))
            every = config.validation.every_steps
            if every and self.progress.step % every == 0:
                self._validate()
            if self.progress.seconds - self.saved_at >= 60 * config.checkpoint_minutes:
                self._save()

    def _step(self, batches: Iterator[Batch], phase: Phase, rate: float) -> None:
        """One optimiser step on the global batch."""
        start, config, accelerator = time.monotonic(), self.config, self.accelerator
        parts = list(islice(batches, config.optimizer.accumulation))
        own = torch.tensor([sum(len(part.texts) for part in parts)], device=accelerator.device)
        prompts = int(accelerator.reduce(own, "sum").item())
        # DDP averages over processes and accelerate over parts: undo both, divide by the prompts.
        scale = accelerator.num_processes * config.optimizer.accumulation / prompts
        torch.manual_seed(_step_seed(config.seed, self.progress.step, accelerator.process_index))
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["rate"]
        sums = torch.zeros(4, dtype=torch.float64, device=accelerator.device)
        for part in parts:
            with accelerator.accumulate(self.objective):
                losses = self._forward(part, phase)
                sums[:3] += torch.stack(losses).detach().double()
                accelerator.backward(losses.loss * scale)
                if accelerator.sync_gradients:
                    self._clip()
                self.optimizer.step()
                self.optimizer.zero_grad()
        self.average.update(self._inner.model)
        # The clock of the first process counts for all, so that all end a phase together.
        sums[3] = time.monotonic() - start if self._is_main else 0.0
        *terms, seconds = accelerator.reduce(sums, "sum").tolist()
        self.progress.step += 1
        self.progress.seconds += seconds
        if self.logbook is not None and self.progress.step % config.log_every == 0:
            loss, dice, focal = (term / prompts for term in terms)
            values = {"loss": loss, "dice": dice, "focal": focal, "rate": rate}
            values |= {"seconds": self.progress.seconds, "prompts": prompts}
            self.logbook.add_step(self.progress.step, values)

    def _forward(self, part: Batch, phase: Phase) -> LossSums:
        model, device = self._inner.model, self.accelerator.device
        longest = model.config.text_encoder.max_position_embeddings
        prompts = self.data.tokenizer.encode(part.texts, max_length=longest)
        tensors = (part.images, part.image_of_prompt, prompts.ids, prompts.mask, part.masks)
        moved = (tensor.to(device, non_blocking=True) for tensor in tensors)
        losses = self.objective(*moved, pass_weights=phase.pass_weights)
        return LossSums(*losses)

    def _clip(self) -> None:
        """Clip the gradient; a gradient that is not finite ends the run before it does harm."""
        norm = self.accelerator.clip_grad_norm_(
            self.objective.parameters(), self.config.optimizer.clip
        )
        if norm is not None and not math.isfinite(float(norm)):
            raise FloatingPointError(
                f"step {self.progress.step + 1}: expected a finite gradient, its norm is {norm}"
            )

    def _validate(self) -> None:
        """Score the averaged weights on the held-out cases; keep them if they are the best."""
        if not self.validator.cases or self.progress.validated == self.progress.step:
            return
        accelerator = self.accelerator
        model = copy.deepcopy(self._inner.model)
        model.load_state_dict(self.average.values)
        model.eval().requires_grad_(False)
        own = self.validator.score(
            model, accelerator.device, accelerator.process_index, accelerator.num_processes
        )
        scores = mean_scores(gather_object(own))
        mean = scores[MEAN][1]
        self.progress.validated = self.progress.step
        logger.info("step %d: validation Dice %.4f", self.progress.step, mean)
        if self.logbook is not None:
            self.logbook.add_validation(self.progress.step, scores)
            self.logbook.draw()
        if mean > self.progress.best_dice:
            self.progress.best_dice = mean
            if self._is_main:
                self._write_weights(self.out / ".best.partial")
                replace_folder(self.out / ".best.partial", self.out / "best")

    def _save(self) -> None:
        """Write a checkpoint."""
        accelerator, step = self.accelerator, self.progress.step
        with new_checkpoint(accelerator, self.out / "checkpoints", step) as folder:
            state = {
                "model": self._inner.model.state_dict(),
                "average": self.average.values,
                "updates": self.average.updates,
                "progress": vars(self.progress),
            }
            if accelerator.distributed_type is DistributedType.DEEPSPEED:
                accelerator.save_state(str(folder / "deepspeed"))
            else:
                state["optimizer"] = self.optimizer.state_dict()
            if self._is_main:
                torch.save(state, folder / STATE)
                self._write_weights(folder)
        self.saved_at = self.progress.seconds
        if self.logbook is not None:
            self.logbook.draw()

    def _write_weights(self, folder: Path) -> None:
        """The averaged weights, as export reads them."""
        tokenizer = self.data.tokenizer.tokenizer
        model = self._inner.model
        write_checkpoint(
            folder, self.average.values, model.config, tokenizer, self._known_prompts()
        )

    def _known_prompts(self) -> KnownPrompts | None:
        """What the network knows with this run's cases; None where its past is unknown."""
        if self.data.known_before is None:
            return None
        entries = self.data.corpus.entries
        classes = classes_of(entries[index] for index in self.training)
        return self.data.known_before.joined(list_prompts(self.data.phrasebook, classes))


def _step_seed(seed: int, step: int, rank: int) -> int:
    """Seed of dropout: another one for every step and process, the same after a resume."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1)[0])
