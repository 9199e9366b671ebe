from __future__ import annotations

import torch

from predict.model.config import MaskDecoderConfig
from predict.model.two_way_transformer import TwoWayBlock, TwoWayTransformer

CONFIG = MaskDecoderConfig(num_heads=2, mlp_dim=16)


def test_first_block_has_neither_positions_nor_a_residual_in_self_attention() -> None:
    block = TwoWayBlock(8, CONFIG, first=True)
    tokens, image = torch.randn(1, 3, 8), torch.randn(1, 5, 8)
    seen = []
    block.norm1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    block(tokens, image, torch.randn(1, 3, 8), torch.randn(1, 5, 8))
    torch.testing.assert_close(seen[0], block.self_attn(tokens, tokens, tokens))


def test_attention_to_the_image_is_half_as_wide() -> None:
    block = TwoWayBlock(8, CONFIG, first=False)
    assert block.self_attn.q_proj.out_features == 8
    assert block.cross_attn_token_to_image.q_proj.out_features == 4


def test_keeps_shapes_and_treats_prompts_apart() -> None:
    transformer = TwoWayTransformer(8, CONFIG).eval()
    image, pe, tokens = torch.randn(2, 5, 8), torch.randn(1, 5, 8), torch.randn(2, 3, 8)
    both = transformer(image, pe, tokens)
    assert both[0].shape == (2, 3, 8)
    assert both[1].shape == (2, 5, 8)
    alone = transformer(image[1:], pe, tokens[1:])
    torch.testing.assert_close(both[0][1:], alone[0])
    torch.testing.assert_close(both[1][1:], alone[1])
