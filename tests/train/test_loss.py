"""The loss, by hand and against the published code's stored values (parity kit, train.npz)."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from predict.model.config import MaskDecoderConfig, ModelConfig, TextEncoderConfig
from predict.model.text3dsam import Text3DSAM
from train.loss import DiceFocal, dice_focal


def test_dice_and_focal_by_hand() -> None:
    logits = torch.zeros(1, 1, 1, 1, 4)
    target = torch.tensor([1.0, 0, 0, 0]).view_as(logits)
    terms = dice_focal(logits, target)
    assert terms.dice.item() == pytest.approx(1 - (2 * 0.5 + 1e-5) / (2 + 1 + 1e-5))
    assert terms.focal.item() == pytest.approx(0.25 * np.log(2))


def test_where_the_target_is_absent_its_own_smoothing_counts() -> None:
    logits = torch.zeros(2, 1, 1, 1, 4, requires_grad=True)
    target = torch.stack((torch.zeros(1, 1, 1, 4), torch.ones(1, 1, 1, 4)))
    terms = dice_focal(logits, target, absent_smoothing=6.0)
    assert terms.dice[0].item() == pytest.approx(1 - 6 / (2 + 6))
    assert terms.dice[1].item() == pytest.approx(dice_focal(logits[1:], target[1:]).dice.item())
    terms.dice[0].backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert (logits.grad[0] > 0.02).all()


def test_a_perfect_mask_costs_nothing_and_fractions_are_allowed() -> None:
    target = (torch.rand(2, 1, 4, 4, 4) > 0.5).float()
    perfect = dice_focal(40 * (2 * target - 1), target)
    assert perfect.dice.tolist() == pytest.approx([0, 0], abs=1e-5)
    assert perfect.focal.tolist() == pytest.approx([0, 0], abs=1e-5)
    soft = dice_focal(torch.zeros(2, 1, 4, 4, 4), torch.full((2, 1, 4, 4, 4), 0.5))
    assert all(0 < value < 1 for value in soft.dice.tolist())


def test_the_papers_focal_term_has_the_positive_part_only() -> None:
    logits = torch.logit(torch.tensor([0.8, 0.3, 0.9, 0.6])).view(1, 1, 1, 1, 4)
    target = torch.tensor([1.0, 1, 0, 0]).view_as(logits)
    by_hand = -(0.2**2 * np.log(0.8) + 0.7**2 * np.log(0.3)) * 0.25 / 4
    assert dice_focal(logits, target, focal="paper").focal.item() == pytest.approx(by_hand)


def test_every_prompt_has_terms_of_its_own() -> None:
    logits, target = torch.randn(3, 1, 4, 4, 4), (torch.rand(3, 1, 4, 4, 4) > 0.5).float()
    together = dice_focal(logits, target)
    for i in range(3):
        alone = dice_focal(logits[i : i + 1], target[i : i + 1])
        torch.testing.assert_close(together.dice[i : i + 1], alone.dice)
        torch.testing.assert_close(together.focal[i : i + 1], alone.focal)


def _small_model(kit: Path, fill: ModuleType) -> tuple[Text3DSAM, dict[str, Any]]:
    configs = json.loads((kit / "configs.json").read_text())
    config, bert = configs["small"], configs["bert_small"]
    shapes = json.loads((kit / "state_dict_small.json").read_text())["tensors"]
    weights = fill.fill_state_dict({t["key"]: t["shape"] for t in shapes})
    sizes = {k: v for k, v in bert.items() if k != "hidden_act"}
    model = Text3DSAM(
        ModelConfig(
            image_size=tuple(config["image_size"]),
            text_encoder=TextEncoderConfig(**sizes, dropout=0.0),
            mask_decoder=MaskDecoderConfig(
                num_heads=config["num_heads"], mlp_dim=config["mlp_dim"]
            ),
        )
    )
    model.load_state_dict({k: torch.from_numpy(np.asarray(v)) for k, v in weights.items()})
    return model, config


def _published_loss(model: Text3DSAM, config: dict[str, Any], fill: ModuleType) -> DiceFocal:
    """The published forward: last logits upsampled to the image, loss on the last pass only."""
    size = config["image_size"]
    images = np.stack([fill.make_image(size, 301 + i) for i in range(3)]).astype(np.float32)
    labels = np.stack([fill.make_image(size, 401 + i) > 127 for i in range(3)])
    ids, mask = fill.make_ids(**config["ids"])
    features = model.encode_image(torch.from_numpy(images)[:, None])
    text = model.encode_text(torch.from_numpy(ids), torch.from_numpy(mask))
    logits = model.decode(features, text)[-1].logits
    logits = F.interpolate(logits, size, mode="trilinear", align_corners=False)
    terms = dice_focal(logits, torch.from_numpy(labels)[:, None].float())
    return DiceFocal(terms.dice.mean(), terms.focal.mean())


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_loss_and_gradients_equal_the_published_code(
    mode: str, kit: Path, fill: ModuleType
) -> None:
    model, config = _small_model(kit, fill)
    model.train(mode == "train")
    terms = _published_loss(model, config, fill)
    (terms.dice + terms.focal).backward()  # type: ignore[no-untyped-call]
    with np.load(kit / "train.npz") as golden:
        assert terms.dice.item() == pytest.approx(float(golden[f"{mode}_dice"]), abs=1e-5)
        assert terms.focal.item() == pytest.approx(float(golden[f"{mode}_focal"]), abs=1e-5)
        keys = golden["param_keys"].tolist()
        norms = golden[f"{mode}_grad_norm"]
    gradients = dict(model.named_parameters())
    checked = 0
    for key, norm in zip(keys, norms, strict=True):
        gradient = gradients[key].grad
        if gradient is None:
            assert np.isnan(norm) or norm == 0
            continue
        assert gradient.norm().item() == pytest.approx(float(norm), rel=2e-3, abs=1e-5), key
        checked += 1
    assert checked > 300
