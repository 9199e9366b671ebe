"""Which parameters are trained at which rate."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from torch import nn

from train.config import TrainConfig


def parameter_groups(model: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Trained parameters: text and image side at their own rates, vectors with or without decay."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = defaultdict(list)
    frozen = config.text_encoder.mode == "frozen"
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            slow = name.startswith("text_") and not frozen
            decays = parameter.ndim > 1 or config.optimizer.decay_vectors
            groups[slow, decays].append(parameter)
    return [
        {
            "params": parameters,
            "rate": config.text_encoder.rate if slow else 1.0,
            "weight_decay": config.optimizer.weight_decay if decays else 0.0,
        }
        for (slow, decays), parameters in groups.items()
    ]
