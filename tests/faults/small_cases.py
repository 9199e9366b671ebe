"""Small cases of several shapes, and what a folder of outputs holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
SHAPES = ((40, 64, 56), (24, 90, 72), (64, 64, 64))


def write_cases(folder: Path, count: int) -> Path:
    """Write noise with two prompts each; returns the folder."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    prompts = {"1": "liver", "2": "left kidney", "instance_label": 0}
    for number in range(count):
        np.savez(
            folder / f"case{number:03}.npz",
            imgs=random.integers(0, 256, SHAPES[number % len(SHAPES)], np.uint8),
            spacing=np.array([1.0, 1.0, 2.0]),
            text_prompts=np.array(prompts, dtype=object),
        )
    return folder


def read_masks(folder: Path) -> dict[str, bytes]:
    """Contents of all ``*.npz`` of a folder by name, as any other program would list them."""
    if not folder.is_dir():
        return {}
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".npz"}
