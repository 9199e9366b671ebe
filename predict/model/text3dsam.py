"""Text3DSAM as a whole: encoders, prompt encoder, mask decoder and the passes (paper Fig. 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from predict.model.config import ModelConfig
from predict.model.image_encoder import ImageEncoder
from predict.model.mask_decoder import ImageFeatures, MaskDecoder
from predict.model.prompt_encoder import PromptEncoder
from predict.model.text_encoder import TextEncoder, text_projector


class PassOutput(NamedTuple):
    """Result of one pass: logits (N, 1, d, h, w) and mask token (N, 1, E)."""

    logits: Tensor
    token: Tensor


class SegmentationDecoder(nn.Module):
    """Prompt encoder and mask decoder under the published names."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.mask_decoder = MaskDecoder(config)
        self.prompt_encoder = PromptEncoder(config)


class Text3DSAM(nn.Module):
    """Text-guided 3D segmentation network."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.image_encoder = ImageEncoder(config.image_encoder)
        self.text_encoder = TextEncoder(config.text_encoder)
        self.text_projector = text_projector(config.text_encoder.hidden_size, config.embed_dim)
        self.seg_decoder = SegmentationDecoder(config)

    def encode_image(self, image: Tensor) -> ImageFeatures:
        """(B, 1, D, H, W) intensities in 0..255 -> features shared by all prompts and passes."""
        return self.image_features(self.image_encoder(image))

    def image_features(self, maps: Sequence[Tensor]) -> ImageFeatures:
        """The five encoder maps -> what the decoder needs of them."""
        positions = self.seg_decoder.prompt_encoder.pe_layer(maps[4].shape[2:])
        return self.seg_decoder.mask_decoder.image_features(maps, positions)

    def encode_text(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(N, L) token ids and mask -> (N, E) embeddings, one per prompt."""
        return self.text_projector(self.text_encoder(ids, mask))  # type: ignore[no-any-return]

    def decode(
        self,
        features: ImageFeatures,
        text: Tensor,
        refinements: int | None = None,
        before: PassOutput | None = None,
    ) -> list[PassOutput]:
        """Coarse pass, then refinements that see the mask and token of the pass before.

        Args:
            features: Of one image for all N prompts, or one entry per prompt.
            text: (N, E) text embeddings.
            refinements: How many; the configuration's number if None.
            before: A pass that was made already, instead of a coarse one.

        Returns:
            One output per pass, coarse first (or the one before); the last one is the answer.
        """
        count = self.config.refinements if refinements is None else refinements
        encode_prompt, decode_mask = self.seg_decoder.prompt_encoder, self.seg_decoder.mask_decoder
        if before is None:
            before = PassOutput(*decode_mask(features, text, *encode_prompt(text)))
        passes = [before]
        for _ in range(count):
            logits, token = passes[-1]
            prompt = encode_prompt(text, torch.sigmoid(logits), token)
            passes.append(PassOutput(*decode_mask(features, text, *prompt)))
        return passes

    def presence(self, text: Tensor, seen: PassOutput) -> Tensor | None:
        """Text (N, E) and what a pass saw -> logits (N,) that the target is there, if told."""
        head = self.seg_decoder.mask_decoder.presence
        return None if head is None else head(text, *seen)

    def prune(self) -> None:
        """Delete the parameters that cannot influence any mask: BERT's pooler, spare kernels."""
        self.text_encoder.pooler = None
        kernels = self.seg_decoder.mask_decoder.output_hypernetworks_mlps
        self.seg_decoder.mask_decoder.output_hypernetworks_mlps = kernels[:1]
