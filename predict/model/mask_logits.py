"""The last level of the mask decoder: most of its work, on the finest grid."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from predict.resample import axis_taps

SLAB_BYTES = 2**20  # what one step reads and writes stays in a core's cache


def mask_logits(x: Tensor, skip: Tensor, norm: nn.Module, kernel: Tensor) -> Tensor:
    """Dot product of the kernel with ``gelu(norm(upsampled x) + skip)``, voxel by voxel.

    On a CPU, where no gradient is wanted, it is made a few planes at a time: whole maps would go
    through the memory at every step and cost several times as much.

    Args:
        x: (N, C, d, h, w).
        skip: (1 or N, C, D, H, W).
        norm: Over the channels of (N, C, ..., H, W).
        kernel: (N, C).

    Returns:
        (N, D, H, W).
    """
    if torch.is_grad_enabled() or x.device.type != "cpu":
        return _whole(x, skip, norm, kernel)
    return _by_slabs(x, skip, norm, kernel)


def _whole(x: Tensor, skip: Tensor, norm: nn.Module, kernel: Tensor) -> Tensor:
    fine = F.interpolate(x, skip.shape[2:], mode="trilinear", align_corners=False)
    voxels = F.gelu(norm(fine) + skip).flatten(2)
    # Voxels come first: their gradient is then channels-last like themselves.
    logits = torch.bmm(voxels.transpose(1, 2), kernel[:, :, None])
    return logits.view(len(x), *skip.shape[2:])


def _by_slabs(x: Tensor, skip: Tensor, norm: nn.Module, kernel: Tensor) -> Tensor:
    channels, (depth, height, width) = x.shape[1], skip.shape[2:]
    coarse = x.permute(0, 2, 3, 4, 1).contiguous()
    rise = axis_taps(x.shape[2], depth).matrix(x.shape[2])
    step = max(1, SLAB_BYTES // (4 * channels * height * width))
    logits = torch.empty(len(x), depth, height, width)
    for start in range(0, depth, step):
        planes = slice(start, start + step)
        for i in range(len(x)):
            part = (rise[planes] @ coarse[i].flatten(1)).view(-1, *coarse.shape[2:])
            fine = F.interpolate(
                part.movedim(-1, 1), (height, width), mode="bilinear", align_corners=False
            )
            beside = skip[min(i, len(skip) - 1), :, planes].movedim(0, 1)
            voxels = F.gelu(norm(fine).add_(beside)).movedim(1, -1)
            logits[i, planes] = voxels @ kernel[i]
    return logits
