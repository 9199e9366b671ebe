"""Mask decoder: two-way transformer, upscaling, dynamic kernels (paper Sec. 2.3, Fig. 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from predict.model.config import ModelConfig
from predict.model.mask_logits import mask_logits
from predict.model.pixel_decoder import PixelDecoder
from predict.model.presence_head import PresenceHead
from predict.model.two_way_transformer import TwoWayTransformer


class ImageFeatures(NamedTuple):
    """What the decoder needs of one or more images; none of it depends on prompt or pass.

    Attributes:
        embedding: (B, E, d, h, w) last map of the encoder.
        skip_mid: (B, C2, 4d, 4h, 4w) projected map at 1/16.
        skip_fine: (B, C0, 16d, 16h, 16w) projected map at 1/4.
        positions: (1, d*h*w, E) Fourier positions of the embedding.
    """

    embedding: Tensor
    skip_mid: Tensor
    skip_fine: Tensor
    positions: Tensor

    def select(self, index: Tensor) -> ImageFeatures:
        """Features of image ``index[n]`` for every prompt n."""
        maps = (self.embedding[index], self.skip_mid[index], self.skip_fine[index])
        return ImageFeatures(*maps, self.positions)


class LayerNorm3d(nn.Module):
    """LayerNorm over the channels of (N, C, D, H, W), in the precision of its weights."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, D, H, W) -> the same shape."""
        channels_last = x.movedim(1, -1).to(self.weight.dtype)
        y = F.layer_norm(channels_last, self.weight.shape, self.weight, self.bias, eps=1e-6)
        return y.movedim(-1, 1)


class HyperNetwork(nn.Module):
    """Three-layer MLP that turns a mask token into a 1x1x1 kernel."""

    def __init__(self, embed_dim: int, hidden: int, out: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            (nn.Linear(embed_dim, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, out))
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, E) -> (N, out)."""
        first, second, last = self.layers
        return last(F.relu(second(F.relu(first(x)))))  # type: ignore[no-any-return]


class MaskDecoder(nn.Module):
    """Image features and prompt embeddings -> mask logits and the token for the next pass."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        embed_dim, mid, fine = config.embed_dim, *(config.image_encoder.channels[i] for i in (2, 0))
        tokens = config.mask_decoder.num_mask_tokens
        self.transformer = TwoWayTransformer(embed_dim, config.mask_decoder)
        self.mask_tokens = nn.Embedding(tokens, embed_dim)
        # Slots 0, 3, 4 and 7 are the upsamplings and activations of the published sequence.
        self.output_upscaling = nn.ModuleDict(
            {
                "1": nn.Conv3d(embed_dim, mid, 1),
                "2": LayerNorm3d(mid),
                "5": nn.Conv3d(mid, fine, 1),
                "6": LayerNorm3d(fine),
            }
        )
        depth = config.mask_decoder.pixel_decoder_depth
        self.pixel_decoder = PixelDecoder(config.image_encoder.channels, depth) if depth else None
        self.feat_conv0 = nn.Conv3d(fine, fine, 1)
        self.feat_conv1 = nn.Conv3d(mid, mid, 1)
        self.output_hypernetworks_mlps = nn.ModuleList(
            HyperNetwork(embed_dim, mid, fine) for _ in range(tokens)
        )
        self.txt_align_upscaled_embedding = nn.Sequential(
            nn.Linear(embed_dim, mid), nn.LayerNorm(mid), nn.GELU(), nn.Linear(mid, fine)
        )
        self.presence = PresenceHead(embed_dim, mid) if config.mask_decoder.presence else None

    def image_features(self, maps: Sequence[Tensor], positions: Tensor) -> ImageFeatures:
        """Project the encoder's maps s0..s4 once per image; positions are (1, E, d, h, w)."""
        maps = maps if self.pixel_decoder is None else self.pixel_decoder(maps)
        return ImageFeatures(
            embedding=maps[4],
            skip_mid=_channels_last(self.feat_conv1(maps[2])),
            skip_fine=_channels_last(self.feat_conv0(maps[0])),
            positions=positions.flatten(2).transpose(1, 2),
        )

    def forward(
        self, features: ImageFeatures, text: Tensor, sparse: Tensor, dense: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One pass.

        Args:
            features: Of one image (B = 1, shared by all prompts) or of every prompt (B = N).
            text: (N, E) text embeddings.
            sparse: (N, 1 or 2, E) sparse prompt embeddings.
            dense: (1 or N, E, d or 1, ...) dense prompt embedding.

        Returns:
            Logits (N, 1, 16d, 16h, 16w) of mask 0 and its token (N, 1, E).
        """
        n = text.shape[0]
        mask_tokens = self.mask_tokens.weight.expand(n, -1, -1)
        source = (features.embedding + dense).expand(n, -1, -1, -1, -1)
        tokens, image = self.transformer(
            source.flatten(2).transpose(1, 2),
            features.positions,
            torch.cat((mask_tokens, sparse), dim=1),
        )
        image = image.unflatten(1, source.shape[2:]).movedim(-1, 1)
        kernel = self.output_hypernetworks_mlps[0](tokens[:, 0])
        # Kernel and text similarity are both dot products with the voxels: one product does both.
        kernel = kernel + self.txt_align_upscaled_embedding(text)
        return self._logits(image, features, kernel)[:, None], tokens[:, :1]

    def _logits(self, image: Tensor, features: ImageFeatures, kernel: Tensor) -> Tensor:
        """(N, E, d, h, w) and kernels (N, C0) -> (N, 16d, 16h, 16w).

        1x1x1 convolutions commute with trilinear upsampling, so they come first, on fewer voxels.
        Everything stays channels-last in memory: upsampling, LayerNorm and GELU, forwards and
        backwards, then run over contiguous channels.
        """
        up = self.output_upscaling
        x = _resize(_channels_last(up["1"](image)), features.skip_mid)
        x = F.gelu(up["2"](x + features.skip_mid))
        return mask_logits(_channels_last(up["5"](x)), features.skip_fine, up["6"], kernel)


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last_3d)


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[2:], mode="trilinear", align_corners=False)
