from __future__ import annotations

import math

import torch

from predict.model.config import ModelConfig
from predict.model.prompt_encoder import FourierPositions, PromptEncoder


def test_positions_take_axes_in_the_published_order() -> None:
    positions = FourierPositions(8)
    encoding = positions((2, 3, 5))
    assert encoding.shape == (1, 8, 2, 3, 5)
    centre = torch.tensor([(1 + 0.5) / 3, (0 + 0.5) / 2, (4 + 0.5) / 5])
    angle = 2 * math.pi * (2 * centre - 1) @ positions.positional_encoding_gaussian_matrix
    torch.testing.assert_close(encoding[0, :, 0, 1, 4], torch.cat((angle.sin(), angle.cos())))


def test_coarse_pass_uses_the_no_mask_embedding(tiny_config: ModelConfig) -> None:
    encoder = PromptEncoder(tiny_config).eval()
    sparse, dense = encoder(torch.randn(3, 24))
    assert sparse.shape == (3, 1, 24)
    torch.testing.assert_close(dense.flatten(), encoder.no_mask_embed.weight[0])


def test_refinement_replaces_it_by_the_encoded_mask(tiny_config: ModelConfig) -> None:
    encoder = PromptEncoder(tiny_config).eval()
    text, token = torch.randn(3, 24), torch.randn(3, 1, 24)
    sparse, dense = encoder(text, torch.rand(3, 1, 16, 32, 16), token)
    torch.testing.assert_close(sparse, torch.stack((text, token[:, 0]), dim=1))
    assert dense.shape == (3, 24, 1, 2, 1)
