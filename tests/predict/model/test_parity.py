"""The network against the published code's stored values (parity kit)."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from predict.model.config import MaskDecoderConfig, ModelConfig, TextEncoderConfig
from predict.model.text3dsam import Text3DSAM

OFFICIAL_PARAMETERS = 59_301_112


class Adapter:
    """What the kit's check.py calls."""

    def __init__(self, model: Text3DSAM) -> None:
        self.model = model

    @torch.inference_mode()
    def encode_image(self, image: np.ndarray) -> list[np.ndarray]:
        return [m.numpy() for m in self.model.image_encoder(torch.from_numpy(image))]

    @torch.inference_mode()
    def encode_text(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return self.model.encode_text(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()

    @torch.inference_mode()
    def decode(
        self, maps: list[np.ndarray], text: np.ndarray
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        features = self.model.image_features([torch.from_numpy(np.asarray(m)) for m in maps])
        passes = self.model.decode(features, torch.from_numpy(text))
        return [p.logits.numpy() for p in passes], [p.token.numpy() for p in passes]


def build(config: dict[str, Any], bert: dict[str, Any], weights: dict[str, Any]) -> Adapter:
    """check.py's entry point."""
    model = Text3DSAM(
        ModelConfig(
            image_size=tuple(config["image_size"]),
            refinements=config["pass_num"],
            text_encoder=TextEncoderConfig(**{k: v for k, v in bert.items() if k != "hidden_act"}),
            mask_decoder=MaskDecoderConfig(
                depth=config["transformer_depth"],
                num_heads=config["num_heads"],
                mlp_dim=config["mlp_dim"],
            ),
        )
    )
    model.load_state_dict({k: torch.from_numpy(np.asarray(v)) for k, v in weights.items()})
    return Adapter(model.eval())


@pytest.mark.parametrize("name", ["tiny", "small", "official"])
@pytest.mark.usefixtures("fill")
def test_every_stage_is_within_the_kits_limits(
    name: str, kit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location("check", kit / "check.py")
    assert spec is not None
    assert spec.loader is not None
    check = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check)
    adapter = ModuleType("adapter")
    adapter.build = build  # type: ignore[attr-defined]

    failures = check.main(adapter, [name])

    assert failures == 0, capsys.readouterr().out


def test_keys_and_shapes_equal_the_published_state_dict(shared: Path) -> None:
    published = json.loads((shared / "reference" / "state_dict.json").read_text())["tensors"]
    with torch.device("meta"):
        model = Text3DSAM(ModelConfig())
    ours = {key: list(value.shape) for key, value in model.state_dict().items()}
    assert ours == {tensor["key"]: tensor["shape"] for tensor in published}


def test_official_configuration_has_the_papers_parameter_count() -> None:
    with torch.device("meta"):
        model = Text3DSAM(ModelConfig())
    assert sum(p.numel() for p in model.parameters()) == OFFICIAL_PARAMETERS
