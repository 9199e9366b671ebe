from __future__ import annotations

import pytest
import torch
from torch import nn

from train.averaging import AveragedWeights


def test_the_average_follows_the_model() -> None:
    model = nn.BatchNorm3d(2)
    average = AveragedWeights(model, 0.99)
    with torch.no_grad():
        model.weight.add_(1.0)
    model(torch.ones(1, 2, 1, 1, 2))
    average.update(model)
    assert average.values["weight"].tolist() == pytest.approx([1 + (1 - 2 / 11)] * 2)
    assert average.values["num_batches_tracked"].item() == 1
    for _ in range(3000):
        average.update(model)
    assert average.values["running_mean"].tolist() == pytest.approx(model.running_mean.tolist())


def test_a_decay_of_zero_is_the_model_itself() -> None:
    model = nn.Linear(3, 2)
    average = AveragedWeights(model, 0.0)
    with torch.no_grad():
        model.weight.mul_(1.7).add_(0.3)
    average.update(model)
    assert torch.equal(average.values["weight"], model.weight)
