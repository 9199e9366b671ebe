"""BatchNorm over the volumes of all processes.

torch.nn.SyncBatchNorm does this on GPUs only; here one implementation serves both, so that what
the tests compare on a CPU is what runs on GPUs. Each layer costs one all-reduce of 2C + 1 numbers
forwards and one backwards.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

VOXEL_AXES = (0, 2, 3, 4)


class SyncBatchNorm3d(nn.BatchNorm3d):
    """BatchNorm3d whose batch, while training, is that of all processes together.

    Processes may hold different numbers of volumes, but each at least one.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, D, H, W) -> the same shape and dtype."""
        if not self.training:
            return super().forward(x)
        mean, variance, count = self._statistics(x)
        if self.running_mean is not None and self.running_var is not None:
            momentum = 0.1 if self.momentum is None else self.momentum
            unbiased = variance.detach() * (count / (count - 1))
            self.running_mean.lerp_(mean.detach(), momentum)
            self.running_var.lerp_(unbiased, momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        offset = self.bias - mean * scale
        shape = (1, -1, 1, 1, 1)
        return torch.addcmul(offset.view(shape), x, scale.view(shape)).to(x.dtype)

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and variance (C,) over all processes, and the number of voxels behind them.

        Every process contributes exact moments of its own part; they are put together in double
        precision, where the difference of squares loses nothing.
        """
        variance, mean = torch.var_mean(x.float(), VOXEL_AXES, correction=0)
        own = mean.new_tensor([x.numel() / x.shape[1]], dtype=torch.float64)
        mean, variance = mean.double(), variance.double()
        parts = torch.cat((own * mean, own * (variance + mean.square()), own))
        total: Tensor = _Sum.apply(parts)  # type: ignore[no-untyped-call]
        moments, count = total[:-1] / total[-1], total[-1].detach().float()
        mean, square = moments.view(2, -1)
        return mean.float(), (square - mean.square()).float(), count


class _Sum(torch.autograd.Function):
    """All-reduce whose gradient is the sum of what all processes ask for."""

    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:
        """Sum over the processes."""
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> Tensor:
        """Sum of the gradients over the processes."""
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def synchronise_norms(model: nn.Module) -> None:
    """Replace every BatchNorm3d by one that sees all processes, in place; keys stay as they are.

    Does nothing where there is only one process.
    """
    if not (dist.is_initialized() and dist.get_world_size() > 1):
        return
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.BatchNorm3d:
                setattr(parent, name, _synchronised(child))


def _synchronised(norm: nn.BatchNorm3d) -> SyncBatchNorm3d:
    copy = SyncBatchNorm3d(norm.num_features, eps=norm.eps, momentum=norm.momentum)
    copy.weight, copy.bias = norm.weight, norm.bias
    copy.running_mean, copy.running_var = norm.running_mean, norm.running_var
    copy.num_batches_tracked = norm.num_batches_tracked
    return copy.train(norm.training)
