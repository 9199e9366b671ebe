"""Made-up folders of inputs, ground truths and predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from evaluate.folder import Folders

# Machines that run the tests may be busy: how long one example takes says nothing.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """Three empty folders."""
    made = Folders(
        predictions=tmp_path / "predictions", truths=tmp_path / "truths", inputs=tmp_path / "inputs"
    )
    for folder in (made.predictions, made.truths, made.inputs):
        folder.mkdir()
    return made


@pytest.fixture
def add_case(folders: Folders) -> Callable[..., None]:
    """Write one case into the folders; the prediction is left out where it is None."""

    def add(
        name: str,
        truth: np.ndarray,
        prediction: np.ndarray | None,
        prompts: Mapping[str, object] | None = None,
        key: str = "segs",
    ) -> None:
        table = {"1": "liver", "instance_label": 0} if prompts is None else dict(prompts)
        np.savez(
            folders.inputs / f"{name}.npz",
            imgs=np.zeros(truth.shape, np.uint8),
            spacing=np.array([1.0, 1.0, 5.0]),
            text_prompts=np.array(table, dtype=object),
        )
        np.savez(folders.truths / f"{name}.npz", gts=truth)
        if prediction is not None:
            np.savez(folders.predictions / f"{name}.npz", **{key: prediction})

    return add


@pytest.fixture
def cube() -> np.ndarray:
    """A cube of 10 voxels a side, (20, 20, 20) uint8."""
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[5:15, 5:15, 5:15] = 1
    return labels
