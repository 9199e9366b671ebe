"""Is the prompt's target in the image at all? Our addition; the published network cannot say no."""

from __future__ import annotations

import torch
from torch import Tensor, nn

PEAK_VOXELS = 16


class PresenceHead(nn.Module):
    """How sure the mask is at its surest voxels, and what mask token and text say beside that."""

    def __init__(self, embed_dim: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * embed_dim + 1, hidden), nn.GELU(), nn.Linear(hidden, 1)
        )
        self.peak_weight = nn.Parameter(torch.ones(1))

    def forward(self, text: Tensor, logits: Tensor, token: Tensor) -> Tensor:
        """Logit of presence.

        Args:
            text: (N, E) text embeddings.
            logits: (N, 1, d, h, w) of a pass; no gradient flows back into the mask.
            token: (N, 1, E) of that pass.

        Returns:
            (N,).
        """
        voxels = logits.detach().flatten(1)
        peak = voxels.topk(min(PEAK_VOXELS, voxels.shape[1]), dim=1).values.mean(1, keepdim=True)
        told = self.layers(torch.cat((text, token[:, 0], peak), dim=1).to(text.dtype))
        result: Tensor = (self.peak_weight * peak + told).squeeze(1)
        return result
