from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from predict.model.config import ModelConfig, TextEncoderConfig
from predict.tokenizer import PromptTokenizer
from train.network import new_model, with_vocabulary
from train.phrasing import Phrasebook
from train.text_pretraining import contrastive_loss, pretrain_text
from train.vocabulary import train_vocabulary


def test_the_loss_is_small_where_classes_are_apart() -> None:
    apart = torch.tensor([[1.0, 0], [0, 1], [1, 0], [0, 1]])
    identity = torch.tensor([0, 1, 0, 1])
    together = torch.ones(4, 2)
    assert contrastive_loss(apart, identity).item() < 0.01
    assert contrastive_loss(together, identity).item() == pytest.approx(torch.tensor(3).log())


def test_phrasings_of_a_class_come_together(
    phrasebook: Phrasebook, tiny_config: ModelConfig
) -> None:
    tokenizer = PromptTokenizer(train_vocabulary(phrasebook.all_texts(), ()))
    wide = replace(
        tiny_config, text_encoder=TextEncoderConfig(hidden_size=96, intermediate_size=192)
    )
    model = new_model(with_vocabulary(wide, tokenizer.tokenizer.get_vocab_size()), 0)
    image_side = model.image_encoder.encoder.s0[0][0].c1[0].weight.clone()
    classes = [("CT_A", 1), ("CT_A", 2), ("Microscopy_B", 1)]
    pretrain_text(model, tokenizer, phrasebook, classes, steps=40, seed=0, batch=12)
    texts = ["liver, CT", "hepatic parenchyma", "cell nucleus", "nuclei in light microscopy"]
    prompts = tokenizer.encode(texts)
    with torch.no_grad():
        unit = torch.nn.functional.normalize(model.eval().encode_text(prompts.ids, prompts.mask))
    likeness = unit @ unit.T
    assert min(likeness[0, 1], likeness[2, 3]) > likeness[:2, 2:].max()
    assert torch.equal(model.image_encoder.encoder.s0[0][0].c1[0].weight, image_side)


def test_no_steps_change_nothing(phrasebook: Phrasebook, tiny_config: ModelConfig) -> None:
    tokenizer = PromptTokenizer(train_vocabulary(phrasebook.all_texts(), ()))
    model = new_model(with_vocabulary(tiny_config, tokenizer.tokenizer.get_vocab_size()), 0)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    loss = pretrain_text(model, tokenizer, phrasebook, [("CT_A", 1)], steps=0, seed=0)
    assert math.isnan(loss)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
