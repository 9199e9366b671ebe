from __future__ import annotations

import torch

from predict.model.config import ModelConfig
from predict.model.image_encoder import ImageEncoder, SelfAttention


def test_five_maps_halve_from_stage_to_stage(tiny_config: ModelConfig) -> None:
    encoder = ImageEncoder(tiny_config.image_encoder).eval()
    maps = encoder(torch.rand(2, 1, 32, 64, 32) * 255)
    assert [tuple(m.shape) for m in maps] == [
        (2, 4, 16, 32, 16),
        (2, 8, 8, 16, 8),
        (2, 12, 4, 8, 4),
        (2, 16, 2, 4, 2),
        (2, 24, 1, 2, 1),
    ]


def test_stem_is_linear_in_eval_mode(tiny_config: ModelConfig) -> None:
    stem = ImageEncoder(tiny_config.image_encoder).eval().encoder.s0
    x, y = torch.randn(2, 1, 1, 32, 32, 32).unbind(0)
    zero = stem(torch.zeros_like(x))
    torch.testing.assert_close(stem(x + y) - zero, stem(x) + stem(y) - 2 * zero)


def test_attention_multiplies_scores_by_the_root_of_the_head_width() -> None:
    attention = SelfAttention(8, 2)
    x = torch.randn(1, 5, 8)
    q, k, v = attention.qkv(x).view(1, 5, 3, 2, 4).permute(2, 0, 3, 1, 4)
    weights = ((q * 2) @ k.transpose(-1, -2)).softmax(-1)
    expected = attention.proj((weights @ v).transpose(1, 2).reshape(1, 5, 8))
    torch.testing.assert_close(attention(x), expected)
