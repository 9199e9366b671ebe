from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from predict.bundle import describe_bundle, load_bundle, read_known_prompts
from predict.bundle_files import MANIFEST, PROMPTS, TOKENIZER, WEIGHTS
from predict.errors import BundleError
from predict.model.text3dsam import Text3DSAM


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


@torch.no_grad()
def test_a_loaded_bundle_is_the_checkpoints_network(
    tiny_bundle: Path, tiny_model: Text3DSAM
) -> None:
    bundle = load_bundle(tiny_bundle)
    image = torch.rand(1, 1, 32, 64, 32) * 255
    prompts = bundle.tokenizer.encode(["segment the liver", "left kidney in ct"])

    def run(model: Text3DSAM) -> torch.Tensor:
        text = model.encode_text(prompts.ids, prompts.mask)
        return model.decode(model.encode_image(image), text)[-1].logits

    torch.testing.assert_close(run(bundle.model), run(tiny_model), atol=1e-4, rtol=1e-4)
    assert not bundle.model.training


def _flip_a_bit(folder: Path) -> None:
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[-5] ^= 1
    (folder / WEIGHTS).write_bytes(data)


def _truncate(folder: Path) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[: len(data) // 2])


def _swap_config(folder: Path) -> None:
    values = json.loads((folder / "config.json").read_text())
    values["refinements"] = 0
    (folder / "config.json").write_text(json.dumps(values))


@pytest.mark.parametrize("damage", [_flip_a_bit, _truncate, _swap_config])
def test_a_changed_file_is_refused(copy: Path, damage: Callable[[Path], None]) -> None:
    damage(copy)
    with pytest.raises(BundleError, match=r"SHA-256 expected .* received"):
        load_bundle(copy)


@pytest.mark.parametrize("name", [WEIGHTS, "config.json", "tokenizer.json", MANIFEST])
def test_a_missing_file_is_refused(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(BundleError, match=f"{name}: No such file"):
        load_bundle(copy)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a folder"):
        load_bundle(tmp_path / "absent")


@pytest.mark.parametrize("text", ["no json", "[]", '{"format": 9, "files": {}}', '{"format": 1}'])
def test_a_foreign_manifest_is_refused(copy: Path, text: str) -> None:
    (copy / MANIFEST).write_text(text)
    with pytest.raises(BundleError, match=MANIFEST):
        load_bundle(copy)


def test_description_is_plain_and_complete(tiny_bundle: Path) -> None:
    description = json.loads(json.dumps(describe_bundle(tiny_bundle)))
    assert description["image_size"] == [32, 64, 32]
    assert description["passes"] == 3
    assert description["parameters_kept"] < description["parameters"]
    assert len(description["sha256"]) == 64


def test_what_it_was_trained_on_is_optional_but_verified(
    tiny_bundle: Path, known_bundle: Path, tmp_path: Path
) -> None:
    assert load_bundle(tiny_bundle).known_prompts is None
    assert read_known_prompts(tiny_bundle) is None
    assert describe_bundle(tiny_bundle)["known_classes"] is None
    known = read_known_prompts(known_bundle)
    assert known is not None
    assert [c.name for c in known.classes] == ["left kidney", "liver"]
    assert load_bundle(known_bundle).known_prompts == known
    assert describe_bundle(known_bundle)["known_classes"] == 2
    shutil.copytree(known_bundle, tmp_path / "b")
    (tmp_path / "b" / PROMPTS).write_text("{}")
    with pytest.raises(BundleError, match=f"{PROMPTS}: SHA-256 expected"):
        load_bundle(tmp_path / "b")


def test_a_list_that_the_manifest_does_not_name_is_not_read(copy: Path) -> None:
    (copy / PROMPTS).write_text("noise")
    assert load_bundle(copy).known_prompts is None


def test_the_tokenizer_of_another_network_is_refused(copy: Path) -> None:
    values = json.loads((copy / TOKENIZER).read_text())
    values["model"]["vocab"]["brain"] = len(values["model"]["vocab"])
    (copy / TOKENIZER).write_text(json.dumps(values))
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest["files"][TOKENIZER] = hashlib.sha256((copy / TOKENIZER).read_bytes()).hexdigest()
    (copy / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=r"tokenizer\.json: expected at most 14 ids .* 15"):
        load_bundle(copy)


def test_what_was_verified_is_what_is_used(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that changes after its hash was taken changes nothing."""
    expected = load_bundle(copy).tokenizer.encode(["left kidney"]).ids.tolist()
    read = Path.read_bytes

    def read_and_replace(path: Path) -> bytes:
        data = read(path)
        if path.name == TOKENIZER:
            path.write_text("{}")
        return data

    monkeypatch.setattr(Path, "read_bytes", read_and_replace)
    assert load_bundle(copy).tokenizer.encode(["left kidney"]).ids.tolist() == expected
