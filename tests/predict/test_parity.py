"""Whole runs against the published pred.py's stored outputs (parity kit, predict/)."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from predict.bundle import load_bundle
from predict.export import export_bundle
from predict.folder import Options, predict_case
from predict.predictor import ImagePredictor

MOST_DIFFERING_VOXELS = 20
LARGEST_MARGIN = 1e-3


@pytest.fixture(scope="module")
def predictor(
    kit: Path, fill: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> ImagePredictor:
    """The kit's small network, taken through the export of a published-style folder."""
    configs = json.loads((kit / "configs.json").read_text())
    config, folder = configs["small"], tmp_path_factory.mktemp("kit")
    shapes = json.loads((kit / "state_dict_small.json").read_text())["tensors"]
    weights = fill.fill_state_dict({t["key"]: t["shape"] for t in shapes})
    save_file(
        {k: torch.from_numpy(np.asarray(v)) for k, v in weights.items()},
        folder / "model.safetensors",
    )
    keys = ("image_size", "pass_num", "transformer_depth", "mlp_dim", "num_heads")
    published = {key: config[key] for key in keys}
    published["text_config"] = {"num_attention_heads": configs["bert_small"]["num_attention_heads"]}
    (folder / "config.json").write_text(json.dumps(published))
    (folder / "vocab.txt").write_text((kit / "predict" / "vocab.txt").read_text())
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    export_bundle(folder, folder / "bundle", dtype="float32")
    return ImagePredictor(load_bundle(folder / "bundle"), torch.device("cpu"))


@pytest.mark.parametrize("name", ["semantic_up", "semantic_down", "semantic_same", "instance"])
def test_whole_run_equals_the_published_output(
    name: str, kit: Path, predictor: ImagePredictor, tmp_path: Path
) -> None:
    report = predict_case(
        predictor, kit / "predict" / f"{name}_in.npz", tmp_path / "out.npz", Options()
    )
    assert report.status == "ok", report.errors
    with np.load(tmp_path / "out.npz") as arrays:
        ours = arrays["segs"]
    with np.load(kit / "predict" / f"{name}_out.npz") as arrays:
        published, logits = arrays["segs"], torch.from_numpy(arrays["logits"])
    assert ours.dtype == np.uint8
    if name == "instance":
        ours, logits = (ours > 0).astype(np.uint8), logits[:1]
    different = torch.from_numpy(ours != published)
    fine = F.interpolate(logits[None], published.shape, mode="trilinear")[0]
    best = torch.cat((torch.zeros_like(fine[:1]), fine)).topk(2, dim=0).values
    margins = (best[0] - best[1])[different]
    assert len(margins) <= MOST_DIFFERING_VOXELS
    assert (margins < LARGEST_MARGIN).all()


def test_prompt_ids_equal_the_published_tokenizer(kit: Path, predictor: ImagePredictor) -> None:
    manifest = json.loads((kit / "predict" / "manifest.json").read_text())
    for name, case in manifest.items():
        texts = [v for k, v in case["text_prompts"].items() if k != "instance_label"]
        with np.load(kit / "predict" / f"{name}_out.npz") as arrays:
            ids, mask = arrays["input_ids"], arrays["attention_mask"]
        encoded = predictor.tokenizer.encode(texts)
        ids, mask = ids.reshape(-1, ids.shape[-1]), mask.reshape(-1, mask.shape[-1])
        length = encoded.ids.shape[1]
        np.testing.assert_array_equal(encoded.ids[: len(ids)], ids[: len(texts), :length])
        np.testing.assert_array_equal(encoded.mask[: len(ids)], mask[: len(texts), :length])
        assert not mask[:, length:].any()
