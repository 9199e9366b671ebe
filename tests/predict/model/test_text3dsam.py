from __future__ import annotations

import copy

import torch

from predict.model.text3dsam import Text3DSAM


def _inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    image = torch.rand(1, 1, 32, 64, 32) * 255
    return (
        image,
        torch.tensor([[2, 5, 10, 11, 3], [2, 6, 3, 0, 0]]),
        torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
    )


@torch.no_grad()
def test_passes_are_coarse_plus_refinements(tiny_model: Text3DSAM) -> None:
    image, ids, mask = _inputs()
    features, text = tiny_model.encode_image(image), tiny_model.encode_text(ids, mask)
    passes = tiny_model.decode(features, text)
    assert len(passes) == 3
    assert passes[-1].logits.shape == (2, 1, 16, 32, 16)
    assert passes[-1].token.shape == (2, 1, 24)
    fewer = tiny_model.decode(features, text, refinements=1)
    assert len(fewer) == 2
    torch.testing.assert_close(fewer[1].logits, passes[1].logits)
    assert not torch.allclose(passes[0].logits, passes[1].logits)


@torch.no_grad()
def test_batched_prompts_equal_single_ones(tiny_model: Text3DSAM) -> None:
    image, ids, mask = _inputs()
    features, text = tiny_model.encode_image(image), tiny_model.encode_text(ids, mask)
    both = tiny_model.decode(features, text)[-1].logits
    for n in range(2):
        alone = tiny_model.decode(features, text[n : n + 1])[-1].logits
        torch.testing.assert_close(alone, both[n : n + 1], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_the_prompt_and_the_image_matter(tiny_model: Text3DSAM) -> None:
    image, ids, mask = _inputs()
    text = tiny_model.encode_text(ids, mask)
    first, second = tiny_model.decode(tiny_model.encode_image(image), text)[-1].logits
    assert not torch.allclose(first, second, atol=1e-3)
    other = tiny_model.decode(tiny_model.encode_image(255 - image), text)[-1].logits[0]
    assert not torch.allclose(first, other, atol=1e-3)


@torch.no_grad()
def test_pruning_changes_nothing_but_the_size(tiny_model: Text3DSAM) -> None:
    image, ids, mask = _inputs()
    pruned = copy.deepcopy(tiny_model)
    pruned.prune()
    assert len(pruned.state_dict()) < len(tiny_model.state_dict())

    def run(model: Text3DSAM) -> torch.Tensor:
        return model.decode(model.encode_image(image), model.encode_text(ids, mask))[-1].logits

    assert torch.equal(run(pruned), run(tiny_model))


def test_pruned_parameters_are_those_without_gradient(tiny_model: Text3DSAM) -> None:
    model = copy.deepcopy(tiny_model).requires_grad_(True)
    image, ids, mask = _inputs()
    features = model.encode_image(image)
    model.decode(features, model.encode_text(ids, mask))[-1].logits.sum().backward()
    without = {k for k, p in model.named_parameters() if p.grad is None}
    pruned = copy.deepcopy(tiny_model)
    pruned.prune()
    removed = {k for k, _ in tiny_model.named_parameters()} - {
        k for k, _ in pruned.named_parameters()
    }
    assert removed == without
