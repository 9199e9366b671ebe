"""Bundles to measure with: what one is, and one of the official size for those who have none."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from evaluate.bench.process import spend
from predict.errors import UsageError

OFFICIAL_INPUT = [128, 256, 256]
SOURCE = ("--source", "random weights")
ONE_STEP = (
    "length={steps: 1}",
    "text_encoder={}",
    "sampling={images_per_step: 1, workers: 0}",
    "precision=fp32",
    "loss.grid=logits",
    "validation={fraction: 0.0}",
    "phases=[{until: 1.0, image_size: [64, 128, 128], pass_weights: [0.0, 0.0, 1.0]}]",
)


def describe_bundle(bundle: Path) -> dict[str, Any]:
    """What ``python -m predict info`` says about a bundle.

    Raises:
        UsageError: It is none.
    """
    if not bundle.is_dir():
        raise UsageError(f"--bundle {bundle}: expected a folder with a bundle, found none")
    command = [sys.executable, "-m", "predict", "info", str(bundle.resolve()), "--json"]
    try:
        described: dict[str, Any] = json.loads(spend(command).output)
    except UsageError as error:
        raise UsageError(f"--bundle {bundle}: {error}") from error
    del described["bundle"]  # a path, which says nothing elsewhere
    return described


def make_official_bundle(folder: Path) -> Path:
    """A bundle of the official network with random weights, by one training step at a small size.

    All sizes are the published ones, except that the vocabulary has 3,000 words instead of 28,996
    (8 M parameters less of 59 M, which are looked up and not computed with).

    Raises:
        UsageError: Training or its requirements are missing.
    """
    data, run, bundle = folder / "data", folder / "run", folder / "official"
    data.mkdir(parents=True)
    labels = np.zeros((32, 32, 32), np.uint8)
    labels[8:24, 8:24, 8:24] = 1
    np.savez_compressed(
        data / "cube.npz",
        imgs=100 * labels,
        gts=labels,
        spacing=np.ones(3),
        text_prompts=np.array({"1": "cube", "instance_label": 0}, dtype=object),
    )
    settings = [word for field in ONE_STEP for word in ("--set", field)]
    train = [sys.executable, "-m", "train"]
    places = ["--data", str(data), "--out", str(run)]
    try:
        spend([*train, "fit", "--config", "paper.yaml", *settings, *places])
        spend([*train, "export", str(run), str(bundle), "--mode", "paper", *SOURCE])
    except UsageError as error:
        raise UsageError(f"--official needs train/requirements.txt: {error}") from error
    return bundle
