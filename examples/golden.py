"""``python -m examples.golden``: masks of the shipped bundle, which later ones are held against.

tests/golden/NAME.npz is the mask of a synthetic case as ``run`` writes it, golden.json says of
which bundle and how many voxels each class has. Write them again whenever weights/default is
replaced.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from examples.__main__ import write_examples
from predict.bundle import Bundle, load_bundle
from predict.defaults import DEFAULT_BUNDLE
from predict.folder import Options, predict_case
from predict.predictor import ImagePredictor
from predict.replay import count_differences
from predict.report import CaseReport

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden"
TABLE = "golden.json"
LEAST_DICE = 0.995
MOST_VOXELS = 3  # a class of few voxels may lose some without a meaning


def write_golden(folder: Path = GOLDEN, bundle: Path = DEFAULT_BUNDLE) -> Path:
    """Predict the synthetic cases and write masks and FOLDER/golden.json, whose path is returned.

    Raises:
        BundleError: No usable bundle.
        ValueError: A case failed.
    """
    loaded = load_bundle(bundle)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        write_examples(Path(scratch))
        sources = sorted((Path(scratch) / "inputs").glob("*.npz"))
        cases = [predict_golden(loaded, source, folder) for source in sources]
    table = {
        "bundle_sha256": loaded.sha256,
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__.partition("+")[0],
        "cases": {case.case: _told(case) for case in cases},
    }
    path = folder / TABLE
    path.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    return path


def predict_golden(bundle: Bundle, source: Path, folder: Path) -> CaseReport:
    """Predict a case into a folder, on the CPU and in batches that do not depend on its memory.

    Raises:
        ValueError: It failed.
    """
    predictor = ImagePredictor(bundle, torch.device("cpu"), batch_size=8)
    report = predict_case(predictor, source, folder / source.name, Options())
    if report.status != "ok":
        raise ValueError("; ".join(report.errors))
    return report


def deviations(found: np.ndarray, golden: np.ndarray, *, instance: bool) -> list[str]:
    """Where a mask is not the golden one any more.

    Other processors order sums differently, which moves single voxels at an edge, so that equal
    bytes cannot be asked for; a class passes with a Dice of LEAST_DICE, or with no more than
    MOST_VOXELS voxels that differ.

    Args:
        found: (D, H, W) ids.
        golden: Likewise.
        instance: Ids tell objects: the foreground is compared, and their number up to one.

    Returns:
        One line for each class that does not pass; none: all is as it was.
    """
    if found.shape != golden.shape:
        return [f"expected shape {golden.shape}, received {found.shape}"]
    _, dice = count_differences(golden, found, instance=instance)
    lines = []
    for i, value in dice.items():
        a, b = (golden > 0, found > 0) if instance else (golden == i, found == i)
        voxels = np.count_nonzero(a != b)
        if value < LEAST_DICE and voxels > MOST_VOXELS:
            lines.append(f"class {i}: Dice {value:.4f}, {voxels} voxels differ")
    if instance and abs(int(found.max()) - int(golden.max())) > 1:
        lines.append(f"expected {golden.max()} objects, received {found.max()}")
    return lines


def _told(case: CaseReport) -> dict[str, Any]:
    return {
        "output_sha256": case.output_sha256,
        "voxels": {prompt.class_id: prompt.voxels for prompt in case.prompts},
        "instances": case.instances,
    }


if __name__ == "__main__":
    print(write_golden())
