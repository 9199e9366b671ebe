"""Two additions of ours to the paper's network, both computed once per image.

The paper's encoder reads a volume with strided 1-D kernels, which miss most of its voxels, and its
mask decoder sees the first map as it is: linear features of the intensities. Here a patch stem
reads every voxel, and a pixel decoder carries the meaning of the deep maps back to the fine ones,
so that the dynamic kernels act on features that know what they are part of.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

NORM_GROUPS = 8
INTENSITY_RANGE = 255.0


class PatchStem(nn.Module):
    """Every voxel of a patch becomes a channel; two 3x3x3 convolutions mix them."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv3d(stride**3, channels, 3, padding=1)
        self.norm = _norm(channels)
        self.block = ResidualBlock(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, D, H, W) of 0..255 -> (N, C, D/stride, H/stride, W/stride)."""
        x = _space_to_depth(2 * x / INTENSITY_RANGE - 1, self.stride)
        return self.block(F.gelu(self.norm(self.conv(x))))  # type: ignore[no-any-return]


class ResidualBlock(nn.Module):
    """x + convolution of 3x3x3 voxels, normalised and activated."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, channels, 3, padding=1)
        self.norm = _norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, D, H, W) -> the same shape."""
        return x + F.gelu(self.norm(self.conv(x)))


class PixelDecoder(nn.Module):
    """From the deepest map to the finest: upsample, add the encoder's map, convolve."""

    def __init__(self, channels: Sequence[int], depth: int) -> None:
        """Make the layers.

        Args:
            channels: Of the encoder's maps, finest first.
            depth: Residual blocks per level.
        """
        super().__init__()
        pairs = list(zip(channels[1:], channels[:-1], strict=True))
        self.reduce = nn.ModuleList(nn.Conv3d(deep, fine, 1) for deep, fine in pairs)
        self.merge = nn.ModuleList(
            nn.Sequential(_norm(fine), *(ResidualBlock(fine) for _ in range(depth)))
            for _, fine in pairs
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Maps (N, C_i, d_i, h_i, w_i), finest first -> as many of the same shapes."""
        decoded = [maps[-1]]
        for level in range(len(maps) - 2, -1, -1):
            # A 1x1x1 convolution commutes with the upsampling and is cheaper before it.
            x = self.reduce[level](decoded[0])
            x = F.interpolate(x, maps[level].shape[2:], mode="trilinear", align_corners=False)
            decoded.insert(0, self.merge[level](x + maps[level]))
        return decoded


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(NORM_GROUPS, channels), channels)


def _space_to_depth(x: Tensor, size: int) -> Tensor:
    """(N, 1, D, H, W) -> (N, size^3, D/size, H/size, W/size)."""
    n, _, *shape = x.shape
    d, h, w = (length // size for length in shape)
    x = x.view(n, d, size, h, size, w, size).permute(0, 2, 4, 6, 1, 3, 5)
    return x.reshape(n, size**3, d, h, w)
