from __future__ import annotations

import pytest
import torch

from predict.model.presence_head import PEAK_VOXELS, PresenceHead


@pytest.fixture
def head() -> PresenceHead:
    torch.manual_seed(0)
    return PresenceHead(embed_dim=8, hidden=4)


def test_the_surest_voxels_speak_for_presence(head: PresenceHead) -> None:
    torch.nn.init.zeros_(head.layers[2].weight)
    torch.nn.init.zeros_(head.layers[2].bias)
    logits = torch.full((2, 1, 4, 4, 4), -5.0)
    logits[1].view(-1)[:PEAK_VOXELS] = 3.0
    answers = head(torch.zeros(2, 8), logits, torch.zeros(2, 1, 8))
    assert answers.tolist() == pytest.approx([-5.0, 3.0])


def test_text_and_token_matter_too(head: PresenceHead) -> None:
    text, token = torch.randn(3, 8), torch.randn(3, 1, 8)
    logits = torch.zeros(3, 1, 2, 2, 2)
    plain = head(text, logits, token)
    assert plain.shape == (3,)
    assert not torch.allclose(plain, head(text.flip(0), logits, token))
    assert not torch.allclose(plain, head(text, logits, token.flip(0)))


def test_no_gradient_flows_back_into_the_mask(head: PresenceHead) -> None:
    logits = torch.randn(1, 1, 4, 4, 4, requires_grad=True)
    token = torch.randn(1, 1, 8, requires_grad=True)
    head(torch.randn(1, 8), logits, token).sum().backward()
    assert logits.grad is None
    assert token.grad is not None
