"""Two-way transformer between prompt tokens and image tokens (paper Sec. 2.3; SAM [6])."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from predict.model.config import MaskDecoderConfig


class Attention(nn.Module):
    """Multi-head attention with an inner width of ``embed_dim // downsample``."""

    def __init__(self, embed_dim: int, num_heads: int, downsample: int = 1) -> None:
        super().__init__()
        inner = embed_dim // downsample
        self.num_heads = num_heads
        self.q_proj = nn.Linear(embed_dim, inner)
        self.k_proj = nn.Linear(embed_dim, inner)
        self.v_proj = nn.Linear(embed_dim, inner)
        self.out_proj = nn.Linear(inner, embed_dim)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """(N, queries, E), (N, keys, E), (N, keys, E) -> (N, queries, E)."""

        def heads(x: Tensor) -> Tensor:
            return x.reshape(*x.shape[:2], self.num_heads, -1).transpose(1, 2)

        y = F.scaled_dot_product_attention(
            heads(self.q_proj(q)), heads(self.k_proj(k)), heads(self.v_proj(v))
        )
        return self.out_proj(y.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class TokenMlp(nn.Module):
    """Linear, ReLU, Linear on the prompt tokens."""

    def __init__(self, embed_dim: int, hidden: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(embed_dim, hidden)
        self.lin2 = nn.Linear(hidden, embed_dim)

    def forward(self, x: Tensor) -> Tensor:
        """(N, tokens, E) -> (N, tokens, E)."""
        return self.lin2(F.relu(self.lin1(x)))  # type: ignore[no-any-return]


class TwoWayBlock(nn.Module):
    """Self-attention, token-to-image attention, MLP, image-to-token attention; post-norm.

    The first block's self-attention uses neither positions nor a residual.
    """

    def __init__(self, embed_dim: int, config: MaskDecoderConfig, *, first: bool) -> None:
        super().__init__()
        heads, downsample = config.num_heads, config.attention_downsample
        self.first = first
        self.self_attn = Attention(embed_dim, heads)
        self.norm1 = nn.LayerNorm(embed_dim)
        self.cross_attn_token_to_image = Attention(embed_dim, heads, downsample)
        self.norm2 = nn.LayerNorm(embed_dim)
        self.mlp = TokenMlp(embed_dim, config.mlp_dim)
        self.norm3 = nn.LayerNorm(embed_dim)
        self.norm4 = nn.LayerNorm(embed_dim)
        self.cross_attn_image_to_token = Attention(embed_dim, heads, downsample)

    def forward(
        self, tokens: Tensor, image: Tensor, token_pe: Tensor, image_pe: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Tokens (N, T, E) and image (N, V, E) in and out; only queries and keys get positions."""
        if self.first:
            tokens = self.norm1(self.self_attn(tokens, tokens, tokens))
        else:
            q = tokens + token_pe
            tokens = self.norm1(tokens + self.self_attn(q, q, tokens))
        k = image + image_pe
        tokens = self.norm2(tokens + self.cross_attn_token_to_image(tokens + token_pe, k, image))
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = self.norm4(image + self.cross_attn_image_to_token(k, tokens + token_pe, tokens))
        return tokens, image


class TwoWayTransformer(nn.Module):
    """Blocks, then a final token-to-image attention."""

    def __init__(self, embed_dim: int, config: MaskDecoderConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayBlock(embed_dim, config, first=i == 0) for i in range(config.depth)
        )
        self.final_attn_token_to_image = Attention(
            embed_dim, config.num_heads, config.attention_downsample
        )
        self.norm_final_attn = nn.LayerNorm(embed_dim)

    def forward(self, image: Tensor, image_pe: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Let tokens and image attend to each other.

        Args:
            image: (N, V, E) image tokens, the dense prompt already added.
            image_pe: (1, V, E) their positions.
            tokens: (N, T, E) mask tokens, then sparse prompts; they are their own positions.

        Returns:
            Updated tokens (N, T, E) and image tokens (N, V, E).
        """
        token_pe = tokens
        for layer in self.layers:
            tokens, image = layer(tokens, image, token_pe, image_pe)
        update = self.final_attn_token_to_image(tokens + token_pe, image + image_pe, image)
        return self.norm_final_attn(tokens + update), image
