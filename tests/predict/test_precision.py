from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from predict import precision
from predict.model.text3dsam import Text3DSAM
from predict.precision import LARGEST_ERROR, bfloat16_error, choose_precision

CPU = torch.device("cpu")


class WrongInHalf(nn.Module):
    """Right in float32, shuffled under autocast: what a broken kernel looks like."""

    def __init__(self, stem: nn.Module) -> None:
        super().__init__()
        self.stem = stem

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.stem(x)
        return y.flip(2) if torch.is_autocast_enabled("cpu") else y


def test_rounding_is_small_but_there(tiny_model: Text3DSAM) -> None:
    assert 1e-4 < bfloat16_error(tiny_model, CPU) < LARGEST_ERROR / 2


def test_a_wrong_kernel_is_seen(tiny_model: Text3DSAM) -> None:
    model = copy.deepcopy(tiny_model)
    model.image_encoder.encoder.s0 = WrongInHalf(model.image_encoder.encoder.s0)  # type: ignore[assignment]
    assert bfloat16_error(model, CPU) > 10 * LARGEST_ERROR


def test_a_cpu_computes_in_float32(tiny_model: Text3DSAM) -> None:
    assert choose_precision(tiny_model, CPU) is torch.float32


@pytest.mark.parametrize(
    ("error", "expected"),
    [(0.01, torch.bfloat16), (0.8, torch.float32), (float("nan"), torch.float32)],
)
def test_a_gpu_uses_bfloat16_only_where_it_is_right(
    tiny_model: Text3DSAM, monkeypatch: pytest.MonkeyPatch, error: float, expected: torch.dtype
) -> None:
    monkeypatch.setattr(precision, "bfloat16_error", lambda *_: error)
    assert choose_precision(tiny_model, torch.device("cuda")) is expected
