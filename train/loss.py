"""Dice plus focal loss (paper Sec. 2.4), prompt by prompt."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

SMOOTHING = 1e-5


class DiceFocal(NamedTuple):
    """Dice term and focal term of every prompt, (N,) each; their means are the batch's."""

    dice: Tensor
    focal: Tensor


def dice_focal(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    focal: Literal["published", "paper"] = "published",
    alpha: float = 0.25,
    absent_smoothing: float = SMOOTHING,
) -> DiceFocal:
    """Both terms.

    The Dice term is smoothed by 1e-5. The published code's focal term has both the positive and the
    negative part and no alpha; the paper's Eq. 2 writes only the positive part, times alpha. Both
    are means over the voxels here: the sum that Eq. 2 writes would grow with the grid.

    Args:
        logits: (N, 1, D, H, W).
        target: (N, 1, D, H, W) in 0..1; fractions are allowed.
        gamma: Focusing parameter.
        focal: Which of the two focal formulas.
        alpha: Balancing factor of the paper's formula.
        absent_smoothing: Smoothing where a target is empty.
    """
    axes = tuple(range(1, logits.ndim))
    probability = torch.sigmoid(logits)
    overlap = (probability * target).sum(axes)
    total = probability.sum(axes) + target.sum(axes)
    there = target.flatten(1).any(dim=1)
    smoothing = torch.where(there, SMOOTHING, absent_smoothing)
    dice = 1 - (2 * overlap + smoothing) / (total + smoothing)
    if focal == "paper":
        surprise = -F.logsigmoid(logits)
        voxels = alpha * torch.exp(gamma * F.logsigmoid(-logits)) * target * surprise
    else:
        entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        voxels = torch.exp(gamma * F.logsigmoid(-logits * (2 * target - 1))) * entropy
    return DiceFocal(dice, voxels.mean(axes))
