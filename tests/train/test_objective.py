from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from predict.model.config import ModelConfig
from predict.model.text3dsam import Text3DSAM
from train.config import LossConfig
from train.loss import dice_focal
from train.network import new_model
from train.objective import LossSums, Objective

WEIGHTS = (0.5, 0.25, 1.0)


@pytest.fixture
def network(tiny_config: ModelConfig) -> ModelConfig:
    text = replace(tiny_config.text_encoder, dropout=0.0)
    return replace(tiny_config, image_size=(32, 32, 32), text_encoder=text)


def _batch(counts: tuple[int, ...] = (2, 1)) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    prompts = sum(counts)
    return {
        "images": 255 * torch.rand(len(counts), 1, 32, 32, 32, generator=rng),
        "image_of_prompt": torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts)),
        "ids": torch.randint(5, 14, (prompts, 6), generator=rng),
        "mask": torch.ones(prompts, 6, dtype=torch.int64),
        "targets": torch.rand(prompts, 1, 32, 32, 32, generator=rng) > 0.7,
    }


def _objective(network: ModelConfig, **options: Any) -> Objective:
    loss = options.pop("loss", LossConfig())
    return Objective(new_model(network, 0), loss, **options).train()


def _by_hand(model: Text3DSAM, batch: dict[str, torch.Tensor]) -> LossSums:
    """Every prompt for itself, in the eyes of BatchNorm too: for eval mode only."""
    loss = torch.zeros(())
    for i, image in enumerate(batch["image_of_prompt"].tolist()):
        features = model.encode_image(batch["images"][image : image + 1])
        text = model.encode_text(batch["ids"][i : i + 1], batch["mask"][i : i + 1])
        target = F.avg_pool3d(batch["targets"][i : i + 1].float(), 2)
        for weight, output in zip(WEIGHTS, model.decode(features, text, 2), strict=True):
            dice, focal = dice_focal(output.logits, target)
            loss = loss + weight * (dice + 4 * focal).sum()
    return LossSums(loss, dice.detach(), focal.detach())


def test_the_loss_is_the_sum_over_prompts_and_weighted_passes(network: ModelConfig) -> None:
    objective = _objective(network, loss=LossConfig(focal_weight=4.0)).eval()
    with torch.no_grad():
        sums = objective(**_batch(), pass_weights=WEIGHTS)
        expected = _by_hand(objective.model, _batch())
    assert sums.loss.item() == pytest.approx(expected.loss.item(), rel=1e-5)


def test_images_are_encoded_once_however_many_prompts_they_have(network: ModelConfig) -> None:
    objective = _objective(network)
    seen: list[int] = []
    encoder = objective.model.image_encoder
    encoder.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    objective(**_batch((4, 2, 1)), pass_weights=(1.0,))
    assert seen == [3]


def test_a_pass_without_weight_is_run_but_not_judged(network: ModelConfig) -> None:
    objective = _objective(network).eval()
    with torch.no_grad():
        last = objective(**_batch(), pass_weights=(0.0, 0.0, 1.0))
    assert last.loss.item() == pytest.approx((last.dice + last.focal).item())


def test_masks_can_be_compared_on_the_image_grid(network: ModelConfig) -> None:
    objective = _objective(network, loss=LossConfig(grid="image")).eval()
    batch = _batch((1,))
    with torch.no_grad():
        sums = objective(**batch, pass_weights=(1.0,))
        features = objective.model.encode_image(batch["images"])
        text = objective.model.encode_text(batch["ids"], batch["mask"])
        logits = objective.model.decode(features, text, 0)[0].logits
        logits = F.interpolate(logits, (32, 32, 32), mode="trilinear", align_corners=False)
        dice, _ = dice_focal(logits, batch["targets"].float())
    assert sums.dice.item() == pytest.approx(dice.item())


def test_all_that_is_trained_gets_a_gradient(network: ModelConfig) -> None:
    """Else DDP would wait forever."""
    objective = _objective(network)
    objective(**_batch(), pass_weights=WEIGHTS).loss.backward()
    idle = [k for k, p in objective.named_parameters() if p.requires_grad and p.grad is None]
    assert idle == []
    untrained = {k for k, p in objective.named_parameters() if not p.requires_grad}
    assert all("pooler" in key or "hypernetworks_mlps" in key for key in untrained)


def test_presence_is_judged_by_whether_a_mask_is_empty(network: ModelConfig) -> None:
    network = replace(network, mask_decoder=replace(network.mask_decoder, presence=True))
    batch = _batch()
    batch["targets"][1] = False
    objective = _objective(network, loss=LossConfig(presence_weight=0.5)).eval()
    plain = _objective(network).eval()
    plain.load_state_dict(objective.state_dict())
    with torch.no_grad():
        difference = objective(**batch, pass_weights=(1.0,)).loss
        difference -= plain(**batch, pass_weights=(1.0,)).loss
        model = objective.model
        features = model.encode_image(batch["images"]).select(batch["image_of_prompt"])
        text = model.encode_text(batch["ids"], batch["mask"])
        logits = model.presence(text, model.decode(features, text, 0)[0])
    assert logits is not None
    expected = F.softplus(-logits[0]) + F.softplus(logits[1]) + F.softplus(-logits[2])
    torch.testing.assert_close(difference, 0.5 * expected, rtol=1e-4, atol=1e-5)


def test_a_frozen_text_encoder_is_out_of_training(network: ModelConfig) -> None:
    objective = _objective(network, frozen_text=True)
    assert not objective.model.text_encoder.training
    assert objective.model.image_encoder.training
    objective(**_batch(), pass_weights=WEIGHTS).loss.backward()
    assert all(p.grad is None for p in objective.model.text_encoder.parameters())
    assert all(p.grad is not None for p in objective.model.text_projector.parameters())


def test_frozen_norms_keep_their_statistics(network: ModelConfig) -> None:
    objective = _objective(network)
    objective.freeze_norms()
    objective.train()
    before = {k: v.clone() for k, v in objective.named_buffers()}
    objective(**_batch(), pass_weights=WEIGHTS)
    assert all(torch.equal(v, before[k]) for k, v in objective.named_buffers())


def test_a_recomputed_encoder_has_the_same_gradients_and_statistics(network: ModelConfig) -> None:
    plain, again = _objective(network), _objective(network, checkpoint_encoder=True)
    for objective in (plain, again):
        objective(**_batch(), pass_weights=WEIGHTS).loss.backward()
    expected = dict(plain.named_parameters())
    for key, parameter in again.named_parameters():
        assert parameter.grad is None or torch.equal(parameter.grad, expected[key].grad), key
    buffers = dict(plain.named_buffers())
    for key, buffer in again.named_buffers():
        if not key.endswith("num_batches_tracked"):
            assert torch.equal(buffer, buffers[key]), key
