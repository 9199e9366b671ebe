from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, BertModel

from predict.bundle import load_bundle
from predict.errors import UsageError
from predict.export import export_bundle
from predict.model.config import ModelConfig
from predict.model.text3dsam import Text3DSAM
from predict.tokenizer import PromptTokenizer
from train.network import (
    load_pretrained_text,
    model_from_bundle,
    new_model,
    pretrained_text_config,
    with_vocabulary,
    write_checkpoint,
)

SIZES: dict[str, Any] = {
    "vocab_size": 14,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 32,
}


@pytest.fixture(params=[BertModel, BertForMaskedLM])
def bert(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A tiny pretrained BERT as transformers saves it, with and without a head."""
    torch.manual_seed(7)
    request.param(BertConfig(**SIZES)).eval().save_pretrained(tmp_path / "bert")
    return tmp_path / "bert"


@torch.no_grad()
def test_pretrained_text_weights_are_really_there(bert: Path, tiny_config: ModelConfig) -> None:
    """Not only stored under the right names: the encoder computes what transformers computes."""
    config = replace(tiny_config, text_encoder=pretrained_text_config(bert))
    model = new_model(config, 0).eval()
    load_pretrained_text(model, bert)
    oracle = BertModel.from_pretrained(bert).eval()
    ids, mask = torch.randint(1, 14, (3, 9)), torch.ones(3, 9, dtype=torch.int64)
    expected = oracle(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0]
    torch.testing.assert_close(model.text_encoder(ids, mask), expected, atol=1e-5, rtol=1e-4)


def test_old_names_and_pickles_are_read_too(bert: Path, tiny_config: ModelConfig) -> None:
    weights = BertModel.from_pretrained(bert).state_dict()
    old = {
        "bert." + k.replace("LayerNorm.weight", "LayerNorm.gamma"): v for k, v in weights.items()
    }
    (bert / "model.safetensors").unlink()
    torch.save(old, bert / "pytorch_model.bin")
    model = new_model(replace(tiny_config, text_encoder=pretrained_text_config(bert)), 0)
    load_pretrained_text(model, bert)
    for key, value in model.text_encoder.state_dict().items():
        assert torch.equal(value, weights[key]), key


def test_weights_of_other_sizes_are_refused(bert: Path, tiny_config: ModelConfig) -> None:
    with pytest.raises(UsageError, match=r"expected shape \(\d+, 8\), received \(14, 8\)"):
        load_pretrained_text(new_model(with_vocabulary(tiny_config, 99), 0), bert)
    deeper = replace(pretrained_text_config(bert), num_hidden_layers=3)
    with pytest.raises(UsageError, match=r"expected the tensor encoder.layer.2"):
        load_pretrained_text(new_model(replace(tiny_config, text_encoder=deeper), 0), bert)


def test_another_kind_of_bert_is_refused(bert: Path) -> None:
    values = json.loads((bert / "config.json").read_text())
    (bert / "config.json").write_text(json.dumps({**values, "hidden_act": "relu"}))
    with pytest.raises(UsageError, match="hidden_act: expected gelu, received relu"):
        pretrained_text_config(bert)


def test_an_empty_folder_is_refused(tmp_path: Path, tiny_model: Text3DSAM) -> None:
    with pytest.raises(UsageError, match="expected a readable BERT configuration"):
        pretrained_text_config(tmp_path)
    with pytest.raises(UsageError, match="found neither"):
        load_pretrained_text(tiny_model, tmp_path)


def test_one_seed_one_network(tiny_config: ModelConfig) -> None:
    first, again, other = (new_model(tiny_config, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(value, again[key]) for key, value in first.items())
    key = "text_projector.0.weight"
    assert not torch.equal(first[key], other[key])


def test_a_bundle_can_be_trained_on_and_exported_again(
    tiny_bundle: Path, tiny_model: Text3DSAM, tmp_path: Path
) -> None:
    model, tokenizer = model_from_bundle(tiny_bundle)
    stored = tiny_model.state_dict()
    for key, value in model.state_dict().items():
        idle = ("pooler", "hypernetworks_mlps.1", "hypernetworks_mlps.2", "batches_tracked")
        assert torch.equal(value, stored[key]) or any(word in key for word in idle), key
    assert all(parameter.requires_grad for parameter in model.parameters())
    write_checkpoint(tmp_path / "c", model.state_dict(), model.config, tokenizer.tokenizer)
    export_bundle(tmp_path / "c", tmp_path / "b", dtype="float32")
    before, after = load_bundle(tiny_bundle), load_bundle(tmp_path / "b")
    assert before.tokenizer.tokenizer.to_str() == after.tokenizer.tokenizer.to_str()
    weights = after.model.state_dict()
    assert all(torch.equal(v, weights[k]) for k, v in before.model.state_dict().items())


def test_a_presence_head_is_added_where_there_is_none(
    tiny_bundle: Path, tiny_model: Text3DSAM
) -> None:
    model, _ = model_from_bundle(tiny_bundle, presence=True)
    assert model.config.mask_decoder.presence
    assert model.seg_decoder.mask_decoder.presence is not None
    for key, value in tiny_model.state_dict().items():
        if "projector" in key:
            assert torch.equal(model.state_dict()[key], value)


def test_a_checkpoint_has_all_that_export_needs(
    tiny_model: Text3DSAM, tokenizer: PromptTokenizer, tmp_path: Path
) -> None:
    config = with_vocabulary(tiny_model.config, tokenizer.tokenizer.get_vocab_size())
    model = new_model(config, 0)
    write_checkpoint(tmp_path / "c", model.state_dict(), config, tokenizer.tokenizer)
    manifest = export_bundle(tmp_path / "c", tmp_path / "b")
    assert manifest["parameters"] == sum(p.numel() for p in model.parameters())
