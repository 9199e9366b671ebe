"""Dice plus focal loss (paper Sec. 2.4) in the form the published code trains with."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class DiceFocal(NamedTuple):
    """Mean Dice term and mean focal term of a batch."""

    dice: Tensor
    focal: Tensor


def dice_focal(logits: Tensor, target: Tensor, *, gamma: float = 2.0) -> DiceFocal:
    """Both terms.

    The Dice term is smoothed by 1e-5 and averaged over items; the focal term has both the positive
    and the negative part, no alpha, and is averaged over voxels. The paper's Eq. 2 writes only the
    positive part; the published code uses both.

    Args:
        logits: (N, 1, D, H, W).
        target: (N, 1, D, H, W) in 0..1; fractions are allowed.
        gamma: Focusing parameter.
    """
    axes = tuple(range(1, logits.ndim))
    probability = torch.sigmoid(logits)
    overlap = (probability * target).sum(axes)
    total = probability.sum(axes) + target.sum(axes)
    dice = 1 - (2 * overlap + 1e-5) / (total + 1e-5)
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    hardness = torch.exp(gamma * F.logsigmoid(-logits * (2 * target - 1)))
    return DiceFocal(dice.mean(), (hardness * entropy).mean())
