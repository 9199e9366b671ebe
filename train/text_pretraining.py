"""Teach the text side that wordings of one class belong together, before any image is seen.

Trained from scratch together with the images, the text encoder collapses: every prompt gets the
same embedding within some hundred steps. A minute of contrastive training on phrasings prevents it.
"""

from __future__ import annotations

import logging
import math
import random
from statistics import fmean

import torch
import torch.nn.functional as F
from torch import Tensor

from predict.model.text3dsam import Text3DSAM
from predict.tokenizer import PromptTokenizer
from train.phrasing import Phrasebook

logger = logging.getLogger(__name__)


def pretrain_text(
    model: Text3DSAM,
    tokenizer: PromptTokenizer,
    phrasebook: Phrasebook,
    classes: list[tuple[str, int]],
    *,
    steps: int,
    seed: int,
    batch: int = 64,
    learning_rate: float = 3e-4,
) -> float:
    """Train text encoder and projector on random phrasings; returns the last 50 steps' mean loss.

    Args:
        model: Network; only its text side changes.
        tokenizer: Its tokenizer.
        phrasebook: Source of phrasings.
        classes: (data set, class id) pairs to draw from; classes of one name count as one.
        steps: Optimiser steps; none if 0.
        seed: Of all random numbers; processes that share a seed end with the same weights.
        batch: Pairs of phrasings per step.
        learning_rate: Peak of AdamW's rate, after a linear warm-up over a tenth of the steps.
    """
    torch.manual_seed(seed)
    model.train()
    parameters = [*model.text_encoder.parameters(), *model.text_projector.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.01)
    device = parameters[0].device
    longest = model.config.text_encoder.max_position_embeddings
    rng, losses = random.Random(seed), []
    names = sorted({phrasebook.class_name(*pair) for pair in classes})
    number = {name: i for i, name in enumerate(names)}
    for step in range(steps):
        pairs = rng.choices(classes, k=batch)
        texts = [phrasebook.sample(*pair, rng) for pair in (*pairs, *pairs)]
        prompts = tokenizer.encode(texts, max_length=longest)
        identity = torch.tensor([number[phrasebook.class_name(*pair)] for pair in pairs] * 2)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * min(1.0, 10 * (step + 1) / steps, 3 * (1 - step / steps))
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            embeddings = model.encode_text(prompts.ids.to(device), prompts.mask.to(device))
        loss = contrastive_loss(embeddings.float(), identity.to(device))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        losses.append(loss.item())
        if step % 100 == 99:
            logger.info("text step %d: loss %.3f", step + 1, fmean(losses[-50:]))
    return fmean(losses[-50:]) if losses else math.nan


def contrastive_loss(embeddings: Tensor, identity: Tensor, temperature: float = 0.1) -> Tensor:
    """Supervised contrastive loss: an item's own class against everything else in the batch.

    Args:
        embeddings: (N, E).
        identity: (N,) class of every item; each occurs at least twice.
        temperature: Of the cosine similarities.
    """
    unit = F.normalize(embeddings, dim=1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    scores = (unit @ unit.T / temperature).masked_fill(itself, -torch.inf)
    same = (identity[:, None] == identity[None]) & ~itself
    log_share = scores.log_softmax(dim=1).masked_fill(~same, 0.0)
    return -(log_share.sum(1) / same.sum(1)).mean()
