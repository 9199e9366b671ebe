"""Network and loss as one module, so that one wrapper (DDP, ZeRO) sees everything at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from predict.model.mask_decoder import ImageFeatures
from predict.model.text3dsam import Text3DSAM
from train.config import LossConfig
from train.loss import dice_focal


class LossSums(NamedTuple):
    """Sums over the prompts of a batch, scalars.

    Attributes:
        loss: Weighted over passes and terms; has the gradient.
        dice: Dice term of the last pass.
        focal: Focal term of the last pass.
    """

    loss: Tensor
    dice: Tensor
    focal: Tensor


class Objective(nn.Module):
    """Encode every image once, decode all prompts in all passes, sum the losses over the prompts.

    Sums, not means: parts of a step may hold different numbers of prompts, and whoever adds the
    parts up divides once, by the number of prompts of the whole step.
    """

    def __init__(
        self,
        model: Text3DSAM,
        loss: LossConfig,
        *,
        frozen_text: bool = False,
        bf16: bool = False,
        checkpoint_encoder: bool = False,
    ) -> None:
        """Wrap a network.

        Args:
            model: The network; what cannot influence a mask is taken out of training.
            loss: See there.
            frozen_text: Keep the text encoder as it is, dropout off.
            bf16: Autocast. For CUDA only: on a CPU, BF16 convolution gradients on grids of few
                voxels are not finite in torch 2.13 (oneDNN).
            checkpoint_encoder: Recompute the image encoder's stages in the backward pass.
        """
        super().__init__()
        self.model, self.loss = model, loss
        self.frozen_text, self.bf16 = frozen_text, bf16
        self.checkpoint_encoder, self.frozen_norms = checkpoint_encoder, False
        _exclude_idle_parameters(model)
        if frozen_text:
            model.text_encoder.requires_grad_(False)

    def train(self, mode: bool = True) -> Objective:
        """Training mode for all that is not frozen."""
        super().train(mode)
        if self.frozen_text:
            self.model.text_encoder.eval()
        if self.frozen_norms:
            for norm in _norms(self.model):
                norm.eval()
        return self

    def freeze_norms(self) -> None:
        """From now on BatchNorm uses its running statistics and leaves them alone."""
        self.frozen_norms = True
        self.train(self.training)

    def forward(
        self,
        images: Tensor,
        image_of_prompt: Tensor,
        ids: Tensor,
        mask: Tensor,
        targets: Tensor,
        pass_weights: Sequence[float],
    ) -> LossSums:
        """Loss of a batch.

        Args:
            images: (B, 1, D, H, W) float32, 0..255.
            image_of_prompt: (N,) int64, image of every prompt.
            ids: (N, L) int64 token ids.
            mask: (N, L) int64, 1 where a token is real.
            targets: (N, 1, D, H, W) bool.
            pass_weights: Weight of the loss on each pass, coarse first; as many passes are run.
        """
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.bf16):
            features = self._encode_image(images).select(image_of_prompt)
            text = self.model.encode_text(ids, mask)
            passes = self.model.decode(features, text, len(pass_weights) - 1)
        if self.loss.grid == "logits":
            wanted = F.avg_pool3d(targets.float(), self.model.config.image_encoder.stem_stride)
        else:
            wanted = targets.float()
        loss, dice, focal = wanted.new_zeros(()), wanted.new_zeros(()), wanted.new_zeros(())
        for weight, output in zip(pass_weights, passes, strict=True):
            if weight > 0:
                dice, focal = self._terms(output.logits.float(), wanted)
                loss = loss + weight * (dice + self.loss.focal_weight * focal)
        presence = self.model.presence(text, passes[0])
        if presence is not None:
            there = targets.flatten(1).any(dim=1).float()
            missed = F.binary_cross_entropy_with_logits(presence.float(), there, reduction="sum")
            loss = loss + self.loss.presence_weight * missed
        return LossSums(loss, dice.detach(), focal.detach())

    def _terms(self, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        if self.loss.grid == "image":
            logits = F.interpolate(logits, target.shape[2:], mode="trilinear", align_corners=False)
        terms = dice_focal(
            logits,
            target,
            focal=self.loss.focal,
            alpha=self.loss.alpha,
            absent_smoothing=self.loss.absent_smoothing,
        )
        return terms.dice.sum(), terms.focal.sum()

    def _encode_image(self, images: Tensor) -> ImageFeatures:
        if not self.checkpoint_encoder:
            return self.model.encode_image(images)
        encoder = self.model.image_encoder.encoder
        maps, x = [], images
        for stage in (encoder.s0, encoder.s1, encoder.s2, encoder.s3, encoder.s4):
            x = checkpoint(
                stage,
                x,
                use_reentrant=False,
                preserve_rng_state=False,
                context_fn=self._recomputation,
            )
            maps.append(x)
        return self.model.image_features(maps)

    def _recomputation(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """Contexts of the forward pass and of its repetition, which counts for no statistics."""
        return nullcontext(), _statistics_kept(self.model.image_encoder)


@contextmanager
def _statistics_kept(module: nn.Module) -> Iterator[None]:
    norms = list(_norms(module))
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum


def _norms(module: nn.Module) -> Iterator[nn.BatchNorm3d]:
    return (m for m in module.modules() if isinstance(m, nn.BatchNorm3d))


def _exclude_idle_parameters(model: Text3DSAM) -> None:
    """BERT's pooler and the spare kernels have no influence: DDP would wait for their gradients."""
    if model.text_encoder.pooler is not None:
        model.text_encoder.pooler.requires_grad_(False)
    model.seg_decoder.mask_decoder.output_hypernetworks_mlps[1:].requires_grad_(False)
