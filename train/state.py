"""What a run must remember to go on after it was stopped, and what it hands over at the end."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import nn

from predict.model.config import ModelConfig
from predict.model.text3dsam import Text3DSAM
from train.config import TrainConfig


class AveragedWeights:
    """Exponential moving average of a model's parameters and copies of its buffers."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.values = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the model; faster at the start of a run."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for key, value in model.state_dict().items():
            if value.dtype.is_floating_point:
                self.values[key].lerp_(value, 1 - decay)
            else:
                self.values[key].copy_(value)


@dataclass
class Progress:
    """Where a run stands: optimiser steps done and seconds spent, over all its parts."""

    step: int = 0
    seconds: float = 0.0

    def share(self, config: TrainConfig) -> float:
        """Part of the planned time that is spent, 0..1."""
        return self.seconds / (60 * config.minutes)


def save_run(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: AveragedWeights,
    progress: Progress,
) -> None:
    """Write everything :func:`load_run` needs, atomically."""
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "average": average.values,
        "updates": average.updates,
        "progress": vars(progress),
    }
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def load_run(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: AveragedWeights,
) -> Progress:
    """Restore what :func:`save_run` wrote."""
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    average.values, average.updates = state["average"], state["updates"]
    return Progress(**state["progress"])


def write_checkpoint(
    folder: Path, weights: dict[str, torch.Tensor], config: ModelConfig, tokenizer: Tokenizer
) -> None:
    """Write a folder that ``python -m predict export`` reads: config, weights, tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in weights.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config.to_dict(), indent=2) + "\n")
    tokenizer.save(str(folder / "tokenizer.json"))


def new_model(config: ModelConfig, seed: int) -> Text3DSAM:
    """A network with random weights, ready to be trained from scratch."""
    torch.manual_seed(seed)
    model = Text3DSAM(config)
    text = model.text_encoder
    # Words must outweigh positions, and attention must carry them to [CLS] undiminished: with
    # BERT's own small initial weights all prompts look alike and stay so.
    nn.init.normal_(text.embeddings.word_embeddings.weight)
    nn.init.normal_(text.embeddings.position_embeddings.weight, std=0.1)
    nn.init.zeros_(text.embeddings.token_type_embeddings.weight)
    for module in text.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_normal_(module.weight)
            nn.init.zeros_(module.bias)
    # The encoder multiplies its attention scores by sqrt(head width): start them soft.
    for name, module in model.image_encoder.named_modules():
        if isinstance(module, nn.Linear) and name.endswith("attn.qkv"):
            nn.init.normal_(module.weight, std=0.01)
    return model
