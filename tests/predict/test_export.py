from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from predict.bundle import load_bundle, read_config, read_known_prompts
from predict.bundle_files import PROMPTS, WEIGHTS
from predict.errors import BundleError
from predict.export import export_bundle, write_known_prompts
from predict.known_prompts import KnownClass, KnownPrompts
from predict.model.config import ModelConfig
from predict.model.text3dsam import Text3DSAM
from predict.pipeline import Pipeline


@pytest.fixture
def checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint"))


@torch.no_grad()
def _logits(model: Text3DSAM) -> torch.Tensor:
    torch.manual_seed(3)
    image = torch.rand(1, 1, 32, 64, 32) * 255
    ids = torch.tensor([[2, 5, 3], [2, 6, 3]])
    text = model.encode_text(ids, torch.ones_like(ids))
    return model.decode(model.encode_image(image), text)[-1].logits


def test_bfloat16_export_gives_the_same_logits_within_its_rounding(
    checkpoint: Path, tiny_model: Text3DSAM, tmp_path: Path
) -> None:
    export_bundle(checkpoint, tmp_path / "bundle")
    expected, received = _logits(tiny_model), _logits(load_bundle(tmp_path / "bundle").model)
    scale = expected.abs().max()
    assert 0 < (received - expected).abs().max() < 2e-2 * scale


def test_vectors_stay_float32_and_useless_tensors_go(checkpoint: Path, tmp_path: Path) -> None:
    manifest = export_bundle(checkpoint, tmp_path / "bundle")
    tensors = load_file(tmp_path / "bundle" / WEIGHTS)
    assert {t.dtype for t in tensors.values() if t.ndim > 2} == {torch.bfloat16}
    assert {t.dtype for t in tensors.values() if t.ndim == 1} == {torch.float32}
    useless = ("pooler", "hypernetworks_mlps.1", "hypernetworks_mlps.2", "num_batches")
    assert not [key for key in tensors if any(part in key for part in useless)]
    assert manifest["parameters_kept"] < manifest["parameters"]


def test_weights_in_several_files_are_joined(checkpoint: Path, tmp_path: Path) -> None:
    export_bundle(checkpoint, tmp_path / "whole")
    tensors = load_file(checkpoint / WEIGHTS)
    (checkpoint / WEIGHTS).unlink()
    keys = sorted(tensors)
    save_file({k: tensors[k] for k in keys[::2]}, checkpoint / "model-00001-of-00002.safetensors")
    save_file({k: tensors[k] for k in keys[1::2]}, checkpoint / "model-00002-of-00002.safetensors")
    export_bundle(checkpoint, tmp_path / "parts")
    whole, parts = (load_file(tmp_path / name / WEIGHTS) for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[k], parts[k]) for k in whole)


def test_a_bfloat16_checkpoint_is_read_to_float32(checkpoint: Path, tmp_path: Path) -> None:
    tensors = load_file(checkpoint / WEIGHTS)
    half = {k: v.bfloat16() if v.is_floating_point() else v for k, v in tensors.items()}
    save_file(half, checkpoint / WEIGHTS)
    manifest = export_bundle(checkpoint, tmp_path / "bundle")
    assert "bfloat16" in manifest["provenance"]["checkpoint_dtype"]
    model = load_bundle(tmp_path / "bundle").model
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_a_part_named_by_the_index_must_be_there(checkpoint: Path, tmp_path: Path) -> None:
    index = {"weight_map": {"a": "model-00002-of-00002.safetensors"}}
    (checkpoint / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BundleError, match="names model-00002-of-00002"):
        export_bundle(checkpoint, tmp_path / "bundle")


def test_a_missing_tensor_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    tensors = load_file(checkpoint / WEIGHTS)
    del tensors["text_projector.0.weight"]
    save_file(tensors, checkpoint / WEIGHTS)
    with pytest.raises(BundleError, match=r"1 tensors missing .*text_projector"):
        export_bundle(checkpoint, tmp_path / "bundle")


def test_a_tensor_of_another_shape_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    tensors = load_file(checkpoint / WEIGHTS)
    tensors["text_projector.0.weight"] = torch.zeros(3, 3)
    save_file(tensors, checkpoint / WEIGHTS)
    with pytest.raises(BundleError, match=r"expected shape \(24, 8\), received \(3, 3\)"):
        export_bundle(checkpoint, tmp_path / "bundle")


@pytest.mark.parametrize("name", [WEIGHTS, "config.json", "vocab.txt"])
def test_an_incomplete_checkpoint_is_refused(checkpoint: Path, tmp_path: Path, name: str) -> None:
    (checkpoint / name).unlink()
    with pytest.raises(BundleError, match="expected"):
        export_bundle(checkpoint, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_truncated_weight_file_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    data = (checkpoint / WEIGHTS).read_bytes()
    (checkpoint / WEIGHTS).write_bytes(data[:-1000])
    with pytest.raises(BundleError, match="not a readable safetensors file"):
        export_bundle(checkpoint, tmp_path / "bundle")


def test_a_tokenizer_larger_than_the_text_encoder_is_refused(
    checkpoint: Path, tmp_path: Path
) -> None:
    with (checkpoint / "vocab.txt").open("a") as file:
        file.write("one\ntwo\n")
    with pytest.raises(BundleError, match="the tokenizer has 16 tokens, the text encoder 14"):
        export_bundle(checkpoint, tmp_path / "bundle")


@pytest.mark.parametrize("size", ["small", "official"])
def test_a_published_config_is_completed_from_the_weights(
    size: str, kit: Path, shared: Path, tmp_path: Path
) -> None:
    """config.json of the published form says little; widths and depths come from the tensors."""
    configs = json.loads((kit / "configs.json").read_text())
    config = configs[size]
    spec = kit / "state_dict_small.json"
    if size == "official":
        spec = shared / "reference" / "state_dict.json"
    shapes = {t["key"]: t["shape"] for t in json.loads(spec.read_text())["tensors"]}
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    save_file(
        {k: torch.zeros(s, dtype=torch.bfloat16) for k, s in shapes.items()},
        checkpoint / WEIGHTS,
    )
    published = {k: config[k] for k in ("image_size", "patch_size", "embed_dim", "pass_num")}
    published |= {k: config[k] for k in ("transformer_depth", "mlp_dim", "num_heads")}
    heads = configs[config["bert"]]["num_attention_heads"]
    published |= {"text_model": "tiny-clinicalbert", "architectures": ["Med3DSeg"]}
    if heads != 12:
        published["text_config"] = {"num_attention_heads": heads}
    (checkpoint / "config.json").write_text(json.dumps(published))
    (checkpoint / "vocab.txt").write_text((kit / "predict" / "vocab.txt").read_text())

    manifest = export_bundle(checkpoint, tmp_path / "bundle")

    read, _ = read_config((tmp_path / "bundle" / "config.json").read_bytes(), "config")
    assert list(read.image_size) == config["image_size"]
    assert read.text_encoder.num_attention_heads == heads
    if size == "official":
        assert read == ModelConfig()
        assert manifest["parameters"] == 59_301_112
        assert manifest["parameters_kept"] == 59_301_112 - 679_560


def test_the_pipeline_is_the_one_asked_for(tiny_checkpoint: Path, tmp_path: Path) -> None:
    precise = Pipeline(mode="precise", least_presence=0.25)
    export_bundle(tiny_checkpoint, tmp_path / "bundle", dtype="float32", pipeline=precise)
    assert load_bundle(tmp_path / "bundle").pipeline == precise
    export_bundle(tiny_checkpoint, tmp_path / "plain", dtype="float32")
    assert load_bundle(tmp_path / "plain").pipeline == Pipeline()


KNOWN = KnownPrompts((KnownClass(name="liver", modality="CT"),))


def test_what_it_was_trained_on_goes_along(checkpoint: Path, tmp_path: Path) -> None:
    (checkpoint / PROMPTS).write_bytes(KNOWN.to_json())
    export_bundle(checkpoint, tmp_path / "b")
    assert read_known_prompts(tmp_path / "b") == KNOWN
    (checkpoint / PROMPTS).unlink()
    export_bundle(checkpoint, tmp_path / "b")
    assert read_known_prompts(tmp_path / "b") is None
    assert not (tmp_path / "b" / PROMPTS).exists()


def test_a_broken_list_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    (checkpoint / PROMPTS).write_text("{}")
    with pytest.raises(BundleError, match=PROMPTS):
        export_bundle(checkpoint, tmp_path / "b")


def test_a_list_can_be_added_to_a_finished_bundle(checkpoint: Path, tmp_path: Path) -> None:
    before = export_bundle(checkpoint, tmp_path / "b")
    weights = (tmp_path / "b" / WEIGHTS).read_bytes()
    write_known_prompts(tmp_path / "b", KNOWN)
    bundle = load_bundle(tmp_path / "b")
    assert bundle.known_prompts == KNOWN
    assert bundle.manifest["files"].pop(PROMPTS)
    assert bundle.manifest == before
    assert (tmp_path / "b" / WEIGHTS).read_bytes() == weights
