from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from train.catalogue import Catalogue
from train.index_check import CheckedCase, check_case, content_hash, count_ids, value_range
from train.raw_case import Defect
from train.source_files import SplitRoot, find_files

SHAPE = (6, 10, 8)


@pytest.fixture
def check(
    tmp_path: Path, write_case: Callable[..., Path], catalogue: Catalogue
) -> Callable[..., CheckedCase]:
    """Write one case and verify it."""

    def checked(path: str = "CT/CT_A/a.npz", **keys: object) -> CheckedCase:
        write_case(path, **keys)
        root = SplitRoot(split="train", folder=tmp_path / "data")
        return next(
            check_case(source, 10**6)
            for source in find_files(root, catalogue)
            if source.path == path
        )

    return checked


def with_voxel(value: float, dtype: str = "f4") -> np.ndarray:
    volume = np.ones(SHAPE, dtype)
    volume[1, 2, 3] = value
    return volume


def test_a_good_case_is_described(check: Callable[..., CheckedCase]) -> None:
    image = np.arange(480, dtype=np.uint16).reshape(SHAPE) % 250
    case = check(imgs=image, spacing=[0.5, 0.5, 2.0])
    assert case.defects == []
    assert case.usable
    assert case.shape == SHAPE
    assert case.spacing == (0.5, 0.5, 2.0)
    assert (case.low, case.high) == (0, 249)
    assert (case.image_dtype, case.label_dtype) == ("uint16", "uint8")
    assert case.classes == {1: 3 * 4 * 3, 2: 3 * 5 * 2}
    assert case.objects is None
    assert len(case.sha256 or "") == 64


def test_objects_are_counted_and_are_one_class(check: Callable[..., CheckedCase]) -> None:
    labels = np.zeros(SHAPE, np.uint16)
    labels[0, 0, :3], labels[1, 1, 1], labels[2] = 1, 300, 70
    case = check("Microscopy/Microscopy_B/b.npz", gts=labels)
    assert case.objects == 3
    assert case.classes == {1: 3 + 1 + 80}
    assert case.defects == []


@pytest.mark.parametrize(
    ("keys", "defect"),
    [
        ({"gts": None}, Defect.MISSING_KEY),
        ({"gts": np.zeros((6, 10, 7), np.uint8)}, Defect.SHAPE),
        ({"gts": with_voxel(1.5)}, Defect.LABELS_NOT_WHOLE),
        ({"gts": with_voxel(np.nan)}, Defect.LABELS_NOT_FINITE),
        ({"gts": with_voxel(-1, "i2")}, Defect.LABELS_NEGATIVE),
        ({"gts": with_voxel(2**40, "i8")}, Defect.TOO_MANY_IDS),
        ({"imgs": np.full(SHAPE, np.nan)}, Defect.IMAGE_NOT_FINITE),
    ],
)
def test_an_unusable_case_says_why(
    check: Callable[..., CheckedCase], keys: dict[str, object], defect: Defect
) -> None:
    case = check(**keys)
    assert [kind for kind, _ in case.defects] == [defect]
    assert not case.usable
    assert case.sha256 is not None


@pytest.mark.parametrize(
    ("keys", "defect"),
    [
        ({"imgs": with_voxel(np.inf) * with_voxel(3)}, Defect.SOME_NOT_FINITE),
        ({"imgs": with_voxel(-3)}, Defect.RESCALED),
        ({"imgs": with_voxel(0.5)}, Defect.UNIT_RANGE),
        ({"imgs": np.full(SHAPE, 9, np.uint8)}, Defect.CONSTANT),
        ({"gts": np.zeros(SHAPE, np.uint8)}, Defect.EMPTY),
        ({"gts": with_voxel(300, "u2")}, Defect.LARGE_IDS),
        ({"spacing": [0, 1, 1]}, Defect.BAD_SPACING),
    ],
)
def test_a_doubtful_case_stays_usable(
    check: Callable[..., CheckedCase], keys: dict[str, object], defect: Defect
) -> None:
    case = check(**keys)
    assert defect in [kind for kind, _ in case.defects]
    assert case.usable


def test_too_large_for_the_limit(
    write_case: Callable[..., Path], tmp_path: Path, catalogue: Catalogue
) -> None:
    write_case("CT/CT_A/a.npz")
    (source,) = find_files(SplitRoot(split="train", folder=tmp_path / "data"), catalogue)
    case = check_case(source, 100)
    assert [kind for kind, _ in case.defects] == [Defect.TOO_LARGE]


def test_the_same_volume_has_the_same_hash_however_it_was_saved() -> None:
    volume = np.random.default_rng(0).integers(0, 256, (4, 5, 6), dtype=np.uint8)
    same = content_hash(volume)
    for other in (volume.astype(np.float64), volume.astype(">i4"), np.asfortranarray(volume)):
        assert content_hash(other) == same
    changed = volume.copy()
    changed[3, 4, 5] ^= 1
    for other in (changed, volume.reshape(5, 4, 6), volume + np.float32(0.25)):
        assert content_hash(other) != same


def test_ids_are_counted_without_the_background() -> None:
    labels = np.zeros((3, 4, 5), np.int64)
    labels[0], labels[1:, 0], labels[2, 3, 4] = 7, 70_000, 2
    assert count_ids(labels) == {2: 1, 7: 20, 70_000: 10}
    assert count_ids(labels > 1) == {1: 31}
    assert count_ids(labels.astype(np.float32)) == count_ids(labels)


def test_the_range_is_that_of_finite_values() -> None:
    volume = np.array([[[np.nan, 2.0]], [[-4.0, np.inf]]])
    assert value_range(volume) == (-4.0, 2.0, 2)
    assert value_range(np.full((1, 1, 2), np.nan))[2] == 0
    assert value_range(np.array([[[3, 250]]], np.uint8)) == (3.0, 250.0, 2)
