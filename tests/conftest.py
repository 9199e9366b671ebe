"""Fixtures that several test files share."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from predict.export import export_bundle, write_known_prompts
from predict.known_prompts import KnownClass, KnownPrompts
from predict.model.config import (
    ImageEncoderConfig,
    MaskDecoderConfig,
    ModelConfig,
    PromptEncoderConfig,
    TextEncoderConfig,
)
from predict.model.text3dsam import Text3DSAM

ROOT = Path(__file__).resolve().parents[1]
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = [*SPECIAL, "liver", "kidney", "left", "right", "in", "ct", "the", "spleen", "segment"]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the parity kit and the labelled corpus, beside the project."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs ../shared (parity kit and corpus), which is not here")
    return folder


@pytest.fixture(scope="session")
def kit(shared: Path) -> Path:
    """The parity kit."""
    return shared / "reference" / "golden"


@pytest.fixture(scope="session")
def fill(kit: Path) -> ModuleType:
    """The kit's generator of weights, images and ids."""
    sys.path.insert(0, str(kit))
    try:
        import fill
    finally:
        sys.path.remove(str(kit))
    return fill  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def tiny_config() -> ModelConfig:
    """A network small enough to run in milliseconds; all widths differ from the official ones."""
    return ModelConfig(
        image_size=(32, 64, 32),
        image_encoder=ImageEncoderConfig(
            channels=(4, 8, 12, 16, 24),
            stem_kernels=(5, 3),
            stem_stride=2,
            depths=(1, 1, 2, 1),
            kernels=(5, 3, 3),
            num_heads=2,
            layer_scale=0.5,
        ),
        text_encoder=TextEncoderConfig(
            vocab_size=len(WORDS),
            hidden_size=8,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=32,
        ),
        prompt_encoder=PromptEncoderConfig(mask_channels=(4, 8, 16, 24)),
        mask_decoder=MaskDecoderConfig(num_heads=2, mlp_dim=16, num_mask_tokens=3),
    )


@pytest.fixture(scope="session")
def tiny_model(tiny_config: ModelConfig) -> Text3DSAM:
    """The tiny network with random weights and BatchNorm statistics, in eval mode."""
    torch.manual_seed(0)
    model = Text3DSAM(tiny_config)
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(std=0.1)
        elif name.endswith("running_var"):
            buffer.uniform_(0.8, 1.2)
    return model.eval()


@pytest.fixture(scope="session")
def tiny_checkpoint(
    tiny_model: Text3DSAM, tiny_config: ModelConfig, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A checkpoint folder of the tiny network, as training writes it."""
    folder = tmp_path_factory.mktemp("checkpoint")
    save_file(tiny_model.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(tiny_config.to_dict()))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    return folder


@pytest.fixture(scope="session")
def tiny_bundle(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny checkpoint, exported in float32."""
    folder = tmp_path_factory.mktemp("bundle")
    export_bundle(tiny_checkpoint, folder, dtype="float32")
    return folder


@pytest.fixture
def write_npz(tmp_path: Path) -> Callable[..., Path]:
    """Write a valid case, with any of its keys replaced, or left out where the value is None."""

    def write(name: str = "case.npz", **replaced: object) -> Path:
        prompts = {"1": "liver", "2": "left kidney", "instance_label": 0}
        keys: dict[str, object] = {
            "imgs": np.arange(6 * 7 * 8, dtype=np.uint16).reshape(6, 7, 8).astype(np.uint8),
            "spacing": np.array([0.5, 0.6, 2.0]),
            "text_prompts": prompts,
            **replaced,
        }
        if isinstance(keys["text_prompts"], dict):
            keys["text_prompts"] = np.array(keys["text_prompts"], dtype=object)
        path = tmp_path / "inputs" / name
        path.parent.mkdir(exist_ok=True)
        np.savez_compressed(path, **{k: v for k, v in keys.items() if v is not None})
        return path

    return write


@pytest.fixture(scope="session")
def known_bundle(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle, with a list of what it was trained on."""
    folder = tmp_path_factory.mktemp("known") / "bundle"
    shutil.copytree(tiny_bundle, folder)
    liver = KnownClass(name="liver", modality="CT", wordings=("hepar",), examples=("liver in CT",))
    kidney = KnownClass(name="left kidney", modality="CT", examples=("left kidney in CT",))
    write_known_prompts(folder, KnownPrompts((liver, kidney)))
    return folder
