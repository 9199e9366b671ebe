"""Prompt encoder: no-mask embedding, mask encoder, Fourier positions (paper Sec. 2.2, Fig. 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from predict.model.config import ModelConfig
from predict.model.decomposed_conv import DecomposedConv3d


class FourierPositions(nn.Module):
    """Random Fourier features of the normalised voxel centres."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.register_buffer(
            "positional_encoding_gaussian_matrix", nn.init.normal_(torch.empty(3, embed_dim // 2))
        )

    def forward(self, size: Sequence[int]) -> Tensor:
        """Grid size (d, h, w) -> (1, embed_dim, d, h, w).

        The published order of the coordinates is (axis 1, axis 0, axis 2), sine before cosine.
        """
        matrix = self.positional_encoding_gaussian_matrix
        axes = [(torch.arange(n, device=matrix.device, dtype=matrix.dtype) + 0.5) / n for n in size]
        z, y, x = torch.meshgrid(*axes, indexing="ij")
        angles = 2 * math.pi * ((2 * torch.stack((y, z, x), dim=-1) - 1) @ matrix)
        return torch.cat((angles.sin(), angles.cos()), dim=-1).movedim(-1, 0)[None]


class PromptEncoder(nn.Module):
    """Turns text embedding, previous mask and previous token into sparse and dense embeddings."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        embed_dim, sizes = config.embed_dim, config.prompt_encoder
        self.pe_layer = FourierPositions(embed_dim)
        self.no_mask_embed = nn.Embedding(1, embed_dim)
        layers: list[nn.Module] = []
        channels = 1
        for width, kernel, stride in zip(
            sizes.mask_channels, sizes.mask_kernels, sizes.mask_strides, strict=True
        ):
            layers += [DecomposedConv3d(channels, width, kernel, stride=stride), nn.GELU()]
            channels = width
        self.mask_downscaling = nn.Sequential(*layers[:-1])

    def forward(
        self, text: Tensor, mask: Tensor | None = None, token: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Embed one pass's prompts.

        Args:
            text: (N, E) text embeddings.
            mask: (N, 1, 4d, 4h, 4w) probabilities of the pass before; None in the coarse pass.
            token: (N, 1, E) mask token of the pass before; None in the coarse pass.

        Returns:
            Sparse (N, 1 or 2, E) and dense embeddings: (1, E, 1, 1, 1) in the coarse pass,
            (N, E, d, h, w) after it.
        """
        sparse = text[:, None]
        if mask is None or token is None:
            return sparse, self.no_mask_embed.weight[:, :, None, None, None]
        return torch.cat((sparse, token), dim=1), self.mask_downscaling(mask)
