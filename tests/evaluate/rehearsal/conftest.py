"""Made-up cases and stand-ins for what predicts them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

PROMPTS = {"1": "liver", "2": "spleen", "instance_label": 0}
REPORT = {
    "seconds": 3.0,
    "startup": {"process": 0.1, "imports": 1.0, "weights": 0.4},
    "cases": [
        {
            "peak_memory_mb": 512.0,
            "seconds": {
                "read": 0.1,
                "encode_image": 0.5,
                "decode": 0.2,
                "labels": 0.3,
                "write": 0.1,
            },
        }
    ],
}


@pytest.fixture
def add_input(tmp_path: Path) -> Callable[..., Path]:
    """Write INPUTS/NAME.npz of (3, 4, 5) voxels."""

    def add(name: str, prompts: Mapping[str, object] = PROMPTS) -> Path:
        path = tmp_path / "inputs" / f"{name}.npz"
        path.parent.mkdir(exist_ok=True)
        np.savez(
            path,
            imgs=np.zeros((3, 4, 5), np.uint8),
            spacing=np.ones(3),
            text_prompts=np.array(dict(prompts), dtype=object),
        )
        return path

    return add


@pytest.fixture
def predict_ones() -> Callable[[Path, Path], None]:
    """Write a label map of ones and a report for every input, as a process would."""

    def predict(inputs: Path, outputs: Path) -> None:
        for source in inputs.glob("*.npz"):
            np.savez(outputs / source.name, segs=np.ones((3, 4, 5), np.uint8))
        (outputs / "report.json").write_text(json.dumps(REPORT))

    return predict
