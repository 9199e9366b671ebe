from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from examples.__main__ import write_examples
from examples.golden import GOLDEN, TABLE, deviations, predict_golden
from predict.bundle import Bundle, load_bundle
from predict.bundle_files import MANIFEST
from predict.defaults import DEFAULT_BUNDLE

AGAIN = "write the golden masks again: python -m examples.golden"
TOLD = json.loads((GOLDEN / TABLE).read_text())
CASES = sorted(TOLD["cases"])


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(DEFAULT_BUNDLE)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("golden")
    write_examples(folder)
    return folder / "inputs"


def _labels(path: Path) -> np.ndarray:
    with np.load(path) as arrays:
        labels: np.ndarray = arrays["segs"]
        return labels


def test_they_are_of_the_shipped_bundle() -> None:
    manifest = (DEFAULT_BUNDLE / MANIFEST).read_bytes()
    assert TOLD["bundle_sha256"] == hashlib.sha256(manifest).hexdigest(), AGAIN


@pytest.mark.parametrize("name", CASES)
def test_the_shipped_bundle_still_makes_them(
    name: str, bundle: Bundle, inputs: Path, tmp_path: Path
) -> None:
    instance = TOLD["cases"][name]["instances"] is not None
    predict_golden(bundle, inputs / name, tmp_path)
    found, golden = _labels(tmp_path / name), _labels(GOLDEN / name)
    assert deviations(found, golden, instance=instance) == [], AGAIN


@pytest.mark.parametrize("name", CASES)
def test_the_table_tells_what_the_files_hold(name: str) -> None:
    told, golden = TOLD["cases"][name], _labels(GOLDEN / name)
    file_sha256 = hashlib.sha256((GOLDEN / name).read_bytes()).hexdigest()
    assert told["output_sha256"] == file_sha256
    if told["instances"] is not None:
        assert told["instances"] == golden.max()
        assert told["voxels"] == {"1": np.count_nonzero(golden)}
    else:
        assert told["voxels"] == {i: np.count_nonzero(golden == int(i)) for i in told["voxels"]}
        assert sum(told["voxels"].values()) == np.count_nonzero(golden) > 1000


@pytest.mark.parametrize("name", CASES)
def test_masks_one_voxel_off_are_noticed(name: str) -> None:
    golden = _labels(GOLDEN / name)
    instance = TOLD["cases"][name]["instances"] is not None
    moved = np.roll(golden, 1, axis=2)
    classes = {1} if instance else set(np.unique(golden).tolist()) - {0}
    assert len(deviations(moved, golden, instance=instance)) == len(classes)


def test_few_voxels_of_a_small_class_may_differ() -> None:
    golden = np.zeros((4, 8, 8), np.uint8)
    golden[1, 2, :5] = 7
    found = golden.copy()
    found[1, 2, :3] = 0
    assert deviations(found, golden, instance=False) == []
    found[1, 2, 3] = 0
    assert deviations(found, golden, instance=False) == ["class 7: Dice 0.3333, 4 voxels differ"]


def test_objects_are_counted_and_shapes_compared() -> None:
    golden = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    assert deviations(np.minimum(golden, 5), golden, instance=True) == [
        "expected 7 objects, received 5"
    ]
    assert deviations(golden, golden[:1], instance=True) == [
        "expected shape (1, 2, 2), received (2, 2, 2)"
    ]
