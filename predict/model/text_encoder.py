"""TinyClinicalBERT in plain PyTorch, under the published weights' names (paper Sec. 2, [13])."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from predict.model.config import TextEncoderConfig


class Embeddings(nn.Module):
    """Sum of word, position and token-type embeddings, normalised."""

    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.word_embeddings = nn.Embedding(config.vocab_size, width, padding_idx=0)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, width)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, width)
        self.LayerNorm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, ids: Tensor) -> Tensor:
        """(N, L) token ids -> (N, L, hidden)."""
        positions = self.position_embeddings.weight[: ids.shape[1]]
        x = self.word_embeddings(ids) + positions + self.token_type_embeddings.weight[0]
        return self.dropout(self.LayerNorm(x))  # type: ignore[no-any-return]


class Projections(nn.Module):
    """Query, key and value of one attention."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)


class Output(nn.Module):
    """Linear, dropout, residual, LayerNorm."""

    def __init__(self, in_features: int, config: TextEncoderConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(in_features, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        """(N, L, in), (N, L, hidden) -> (N, L, hidden)."""
        return self.LayerNorm(self.dropout(self.dense(x)) + residual)  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Masked multi-head self-attention with its output layer."""

    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        self.num_heads = config.num_attention_heads
        self.dropout = config.dropout
        self.self = Projections(config.hidden_size)
        self.output = Output(config.hidden_size, config)

    def forward(self, x: Tensor, visible: Tensor) -> Tensor:
        """(N, L, hidden) and a boolean (N, 1, 1, L), True where a key may be seen."""

        def heads(projection: nn.Module) -> Tensor:
            return projection(x).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)  # type: ignore[no-any-return]

        y = F.scaled_dot_product_attention(
            heads(self.self.query),
            heads(self.self.key),
            heads(self.self.value),
            attn_mask=visible,
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.output(y.transpose(1, 2).flatten(2), x)  # type: ignore[no-any-return]


class Intermediate(nn.Module):
    """Widening layer of the feed-forward part."""

    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.intermediate_size)

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, hidden) -> (N, L, intermediate)."""
        return F.gelu(self.dense(x))


class Layer(nn.Module):
    """Post-norm transformer layer."""

    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        self.attention = Attention(config)
        self.intermediate = Intermediate(config)
        self.output = Output(config.intermediate_size, config)

    def forward(self, x: Tensor, visible: Tensor) -> Tensor:
        """(N, L, hidden) -> (N, L, hidden)."""
        x = self.attention(x, visible)
        return self.output(self.intermediate(x), x)  # type: ignore[no-any-return]


class Pooler(nn.Module):
    """BERT's pooler: in the published weights, without any influence on the masks."""

    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)


class LayerStack(nn.Module):
    """The transformer layers in order."""

    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))

    def forward(self, x: Tensor, visible: Tensor) -> Tensor:
        """(N, L, hidden) -> (N, L, hidden)."""
        for layer in self.layer:
            x = layer(x, visible)
        return x


class TextEncoder(nn.Module):
    """BERT whose [CLS] state is the sentence embedding."""

    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.encoder = LayerStack(config)
        self.pooler: Pooler | None = Pooler(config)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Embed sentences.

        Args:
            ids: (N, L) int64 token ids, [CLS] first.
            mask: (N, L), nonzero where a token is real; padding may be trimmed away.

        Returns:
            (N, hidden): last hidden state of [CLS], before any pooler.
        """
        visible = mask.to(torch.bool)[:, None, None, :]
        return self.encoder(self.embeddings(ids), visible)[:, 0]  # type: ignore[no-any-return]


def text_projector(hidden_size: int, embed_dim: int) -> nn.Sequential:
    """Sentence embedding -> the width shared with the image: Linear, LayerNorm, GELU, Linear."""
    return nn.Sequential(
        nn.Linear(hidden_size, embed_dim),
        nn.LayerNorm(embed_dim),
        nn.GELU(),
        nn.Linear(embed_dim, embed_dim),
    )
