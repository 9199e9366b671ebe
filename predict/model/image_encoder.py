"""DCFormer image encoder with two attention blocks at its end (paper Sec. 2.1, Fig. 2)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from predict.model.config import ImageEncoderConfig
from predict.model.decomposed_conv import DecomposedConv3d
from predict.model.pixel_decoder import PatchStem


class Mlp(nn.Module):
    """Linear, GELU, Linear on the last axis."""

    def __init__(self, width: int, ratio: int) -> None:
        super().__init__()
        # The published keys count a dropout between the two; it has no weights and no effect.
        self.mlp = nn.Sequential(
            nn.Linear(width, width * ratio),
            nn.GELU(),
            nn.Identity(),
            nn.Linear(width * ratio, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        return self.mlp(x)  # type: ignore[no-any-return]


def _projection(in_channels: int | None, channels: int) -> nn.Conv3d | None:
    return None if in_channels is None else nn.Conv3d(in_channels, channels, 1, bias=False)


def _downsample(x: Tensor, projection: nn.Conv3d | None) -> Tensor:
    if projection is None:
        return x
    return projection(F.max_pool3d(x, 3, stride=2, padding=1))  # type: ignore[no-any-return]


class ConvBlock(nn.Module):
    """Residual block: depthwise decomposed convolution, channel MLP, layer scale.

    A block with ``in_channels`` is a stage's first: it halves every axis before.
    """

    def __init__(
        self, channels: int, kernel: int, config: ImageEncoderConfig, in_channels: int | None = None
    ) -> None:
        super().__init__()
        self.proj = _projection(in_channels, channels)
        self.dwconv = DecomposedConv3d(channels, channels, kernel, groups=channels)
        self.mlp = Mlp(channels, config.mlp_ratio)
        self.scale = nn.Parameter(torch.full((channels,), config.layer_scale))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, D, H, W) -> (N, C', D', H', W')."""
        x = _downsample(x, self.proj)
        update: Tensor = self.mlp(self.dwconv(x).movedim(1, -1)) * self.scale
        return x + update.movedim(-1, 1)


class ConvPositionEncoding(nn.Module):
    """Position from neighbours: x plus a depthwise decomposed convolution without BatchNorm."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.proj = DecomposedConv3d(channels, channels, kernel, groups=channels, norm=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, D, H, W) -> the same shape."""
        return x + self.proj(x)  # type: ignore[no-any-return]


class SelfAttention(nn.Module):
    """Multi-head self-attention whose scores are multiplied by sqrt(head width).

    Standard attention divides; the published weights were trained with the product.
    """

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, tokens, width) -> the same shape."""
        n, tokens, width = x.shape
        head = width // self.num_heads
        q, k, v = self.qkv(x).view(n, tokens, 3, self.num_heads, head).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, scale=math.sqrt(head))
        return self.proj(y.transpose(1, 2).reshape(n, tokens, width))  # type: ignore[no-any-return]


class SpatialAttention(nn.Module):
    """Pre-norm transformer layer over all voxels of the grid, in (D, H, W) order."""

    def __init__(self, channels: int, config: ImageEncoderConfig) -> None:
        super().__init__()
        self.cpe = nn.ModuleList(
            ConvPositionEncoding(channels, config.position_kernel) for _ in range(2)
        )
        self.layer_norm1 = nn.LayerNorm(channels)
        self.attn = SelfAttention(channels, config.num_heads)
        self.layer_norm2 = nn.LayerNorm(channels)
        self.mlp1 = Mlp(channels, config.mlp_ratio)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, D, H, W) -> the same shape."""
        shape = x.shape
        tokens = self.cpe[0](x).flatten(2).transpose(1, 2)
        tokens = tokens + self.attn(self.layer_norm1(tokens))
        tokens = self.cpe[1](tokens.transpose(1, 2).reshape(shape)).flatten(2).transpose(1, 2)
        tokens = tokens + self.mlp1(self.layer_norm2(tokens))
        return tokens.transpose(1, 2).reshape(shape)  # type: ignore[no-any-return]


class AttentionBlock(nn.Module):
    """Attention layer of the last stage; the stage's first block halves every axis before."""

    def __init__(
        self, channels: int, config: ImageEncoderConfig, in_channels: int | None = None
    ) -> None:
        super().__init__()
        self.proj = _projection(in_channels, channels)
        self.spatial_attention = SpatialAttention(channels, config)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, D, H, W) -> (N, C', D', H', W')."""
        return self.spatial_attention(_downsample(x, self.proj))  # type: ignore[no-any-return]


def _stem(config: ImageEncoderConfig) -> nn.Module:
    """The paper's stem has no activation: it is linear in eval mode."""
    width = config.channels[0]
    if config.stem == "patch":
        return PatchStem(width, config.stem_stride)
    return nn.Sequential(
        *(
            DecomposedConv3d(
                1 if i == 0 else width, width, kernel, stride=config.stem_stride if i == 0 else 1
            )
            for i, kernel in enumerate(config.stem_kernels)
        )
    )


class DCFormer(nn.Module):
    """Stem s0, stages s1 to s3 of ConvBlocks, s4 attention."""

    def __init__(self, config: ImageEncoderConfig) -> None:
        super().__init__()
        width = config.channels
        self.s0 = nn.Sequential(_stem(config))
        self.s1, self.s2, self.s3 = (
            nn.Sequential(
                *(
                    ConvBlock(
                        width[i], config.kernels[i - 1], config, width[i - 1] if j == 0 else None
                    )
                    for j in range(config.depths[i - 1])
                )
            )
            for i in (1, 2, 3)
        )
        self.s4 = nn.Sequential(
            *(
                AttentionBlock(width[4], config, width[3] if j == 0 else None)
                for j in range(config.depths[3])
            )
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, 1, D, H, W) -> five maps (N, C_i, D/4/2^i, H/4/2^i, W/4/2^i)."""
        maps = []
        for stage in (self.s0, self.s1, self.s2, self.s3, self.s4):
            x = stage(x)
            maps.append(x)
        return maps


class ImageEncoder(nn.Module):
    """The image side of Fig. 1."""

    def __init__(self, config: ImageEncoderConfig) -> None:
        super().__init__()
        self.encoder = DCFormer(config)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Encode volumes.

        Args:
            image: (N, 1, D, H, W) intensities in 0..255, not normalised further.

        Returns:
            Maps of s0 to s4 at 1/4, 1/8, 1/16, 1/32 and 1/64 of the input.
        """
        return self.encoder(image)  # type: ignore[no-any-return]
