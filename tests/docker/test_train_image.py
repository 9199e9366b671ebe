"""The training image: its commands, and two steps of training in it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
SMALL_RUN = """
length: {steps: 2}
network:
  image_size: [32, 32, 32]
  image_encoder: {channels: [4, 8, 12, 16, 24], stem_stride: 2, depths: [1, 1, 1, 1], num_heads: 2}
  text_encoder: {hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2}
  prompt_encoder: {mask_channels: [4, 8, 16, 24]}
  mask_decoder: {num_heads: 2, mlp_dim: 16}
sampling: {images_per_step: 2, workers: 1}
log_every: 1
validation: {fraction: 0.0}
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a corpus of two cases, its prompts and a configuration."""
    folder = tmp_path / "data"
    cases = folder / "corpus" / "CT" / "CT_A"
    cases.mkdir(parents=True)
    labels = np.zeros((12, 16, 16), np.uint8)
    labels[3:9, 4:12, 4:12] = 1
    image = np.random.default_rng(0).integers(0, 256, labels.shape).astype(np.uint8)
    for i in range(2):
        np.savez_compressed(cases / f"CT_A_{i}.npz", imgs=image, gts=labels, spacing=np.ones(3))
    prompts = {"CT_A": {"1": ["liver in abdominal CT", "the liver"], "instance_label": 0}}
    (folder / "prompts.json").write_text(json.dumps(prompts))
    (folder / "small.yaml").write_text(SMALL_RUN)
    return folder


def test_help(training_image: str, run_image: Run) -> None:
    done = run_image(training_image, "python", "-m", "train", "--help")
    assert done.returncode == 0, done.stderr
    for command in ("fit", "finetune", "export", "index", "pack"):
        assert command in done.stdout
    assert run_image(training_image, "id", "-u").stdout.strip() == "1000"


def test_two_steps_then_a_bundle(
    training_image: str, run_image: Run, data: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    runs.chmod(0o777)
    script = (
        "python -m train fit --config /data/small.yaml --data /data/corpus "
        "--prompts /data/prompts.json --out /runs/one && "
        "python -m train export /runs/one /runs/bundle && python -m predict info /runs/bundle"
    )
    mounts = ("-v", f"{data}:/data:ro", "-v", f"{runs}:/runs")
    done = run_image(training_image, "sh", "-c", script, options=mounts)
    assert done.returncode == 0, done.stderr
    assert len((runs / "one" / "log.csv").read_text().splitlines()) == 3
    assert "image_size" in done.stdout
