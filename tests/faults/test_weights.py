"""Bundles that are damaged, incomplete, mixed up or hold no numbers."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from predict.bundle import load_bundle
from predict.bundle_files import CONFIG, MANIFEST, TOKENIZER, WEIGHTS
from predict.cli import main
from predict.errors import BundleError
from predict.exit_status import GOOD, WRONG_CALL
from tests.faults.conftest import COUNT, Job, is_background


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A bundle that may be damaged."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


def rehash(bundle: Path, name: str) -> None:
    """Make the manifest agree with a changed file."""
    manifest = json.loads((bundle / MANIFEST).read_text())
    manifest["files"][name] = hashlib.sha256((bundle / name).read_bytes()).hexdigest()
    (bundle / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, TOKENIZER])
@pytest.mark.parametrize("seed", range(20))
def test_any_flipped_bit_is_found(bundle: Path, name: str, seed: int) -> None:
    data = bytearray((bundle / name).read_bytes())
    chance = random.Random(seed)
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    (bundle / name).write_bytes(data)
    with pytest.raises(BundleError, match=f"{name}: SHA-256 expected"):
        load_bundle(bundle)


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, TOKENIZER, MANIFEST])
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.98])
def test_any_shortened_file_is_found(bundle: Path, name: str, share: float) -> None:
    data = (bundle / name).read_bytes()
    (bundle / name).write_bytes(data[: int(share * len(data))])
    with pytest.raises(BundleError, match=name):
        load_bundle(bundle)


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_weights_that_are_no_safetensors_are_refused_with_the_right_hash_too(
    bundle: Path, share: float
) -> None:
    data = (bundle / WEIGHTS).read_bytes()
    (bundle / WEIGHTS).write_bytes(data[: int(share * len(data))])
    rehash(bundle, WEIGHTS)
    with pytest.raises(BundleError, match="not a safetensors file"):
        load_bundle(bundle)


def _other_tokenizer(bundle: Path) -> None:
    values = json.loads((bundle / TOKENIZER).read_text())
    values["model"]["vocab"]["brain"] = len(values["model"]["vocab"])
    (bundle / TOKENIZER).write_text(json.dumps(values))


@pytest.mark.parametrize(
    "damage",
    [
        shutil.rmtree,
        lambda bundle: (bundle / WEIGHTS).unlink(),
        lambda bundle: (bundle / WEIGHTS).write_bytes(b""),
        _other_tokenizer,
        lambda bundle: (_other_tokenizer(bundle), rehash(bundle, TOKENIZER)),
    ],
)
def test_nothing_is_attempted_without_a_whole_bundle(
    job: Job,
    bundle: Path,
    damage: Callable[[Path], object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    damage(bundle)
    assert main(dataclasses.replace(job, bundle=bundle).arguments()) == WRONG_CALL
    messages = capsys.readouterr().err
    assert messages.startswith("error: ")
    assert messages.count("\n") == 1
    assert str(bundle) in messages
    assert job.masks() == {}


def test_weights_without_numbers_are_told_and_give_background(job: Job, bundle: Path) -> None:
    tensors = load_file(bundle / WEIGHTS)
    name = next(name for name in tensors if "mask_decoder" in name)
    save_file({**tensors, name: torch.full_like(tensors[name], torch.nan)}, bundle / WEIGHTS)
    rehash(bundle, WEIGHTS)
    job = dataclasses.replace(job, bundle=bundle)
    assert main(job.arguments()) == GOOD
    told = "the network gave no number for 100.00% of its grid: background there"
    for name, case in job.report().items():
        assert case["warnings"] == [f"prompt {i}: {told}" for i in (1, 2)]
        assert is_background(job.outputs / name)
    assert len(job.report()) == COUNT
