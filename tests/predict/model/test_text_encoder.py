from __future__ import annotations

import torch
from transformers import BertConfig, BertModel

from predict.model.config import TextEncoderConfig
from predict.model.text_encoder import TextEncoder

CONFIG = TextEncoderConfig(
    vocab_size=50, hidden_size=24, num_attention_heads=3, intermediate_size=40
)


def test_equals_transformers_bert() -> None:
    torch.manual_seed(0)
    oracle = BertModel(
        BertConfig(
            vocab_size=50,
            hidden_size=24,
            num_hidden_layers=4,
            num_attention_heads=3,
            intermediate_size=40,
            layer_norm_eps=1e-12,
        )
    ).eval()
    ours = TextEncoder(CONFIG).eval()
    ours.load_state_dict(oracle.state_dict())
    ids = torch.randint(1, 50, (3, 9))
    mask = (torch.arange(9) < torch.tensor([[9], [5], [2]])).long()
    with torch.no_grad():
        expected = oracle(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0]
        torch.testing.assert_close(ours(ids, mask), expected, atol=1e-5, rtol=1e-5)


def test_padding_does_not_change_a_sentence() -> None:
    encoder = TextEncoder(CONFIG).eval()
    ids = torch.randint(1, 50, (1, 6))
    padded = torch.cat((ids, torch.zeros(1, 20, dtype=torch.int64)), dim=1)
    mask = (torch.arange(26) < 6).long()[None]
    torch.testing.assert_close(encoder(padded, mask), encoder(ids, torch.ones_like(ids)))
