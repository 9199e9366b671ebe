from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from train.catalogue import Catalogue, DatasetPrompts, Origin
from train.index import Index
from train.index_build import build_index
from train.index_findings import (
    DuplicateGroup,
    Findings,
    SharedSubject,
    UnpromptedLabel,
    find_all,
)
from train.source_files import SplitRoot

PROMPTS = {
    "CT_A": DatasetPrompts(counts={1: 1, 2: 1, 5: 2}, instance=False),
    "Microscopy_B": DatasetPrompts(counts={1: 1}, instance=True),
    "US_never": DatasetPrompts(counts={1: 1}, instance=False),
}
ORIGINS = {
    "train": {
        "a": Origin("train", subject="s1"),
        "b": Origin("train", subject="s2"),
        "c": Origin("train", subject="s2"),
    },
    "val": {"v": Origin("val", subject="s2"), "d": Origin("val", subject="s9")},
}


@pytest.fixture
def findings(tmp_path: Path, write_case: Callable[..., Path]) -> Findings:
    """Two splits with one of everything that can be wrong."""
    other = np.zeros((6, 10, 8), np.uint8)
    other[0, :2, 0], other[1] = 1, 9
    a = write_case("train/CT/CT_A/a.npz", seed=1, spacing=[1.0, 1.0, 4.0])
    write_case("train/CT/CT_A/b.npz", seed=2, gts=other, spacing=[0.5, 1.0, 3.0])
    write_case("train/CT/CT_A/c.npz", seed=2, gts=other * 3)  # 27 and 3: both without prompts
    write_case("train/CT/CT_A/d.npz", seed=3, gts=None)
    write_case("train/CT/CT_A/e.npz", imgs=np.full((6, 10, 8), 7))
    write_case("train/CT/CT_A/f.npz", imgs=np.full((6, 10, 8), 7))
    write_case("train/CT/CT_new/a.npz", seed=4)
    objects = np.zeros((4, 4, 4), np.uint16)
    objects[0, 0, 0], objects[2, 2, 2] = 4, 900
    image = np.arange(64, dtype=np.uint8).reshape(4, 4, 4)
    write_case("train/Microscopy/Microscopy_B/m.npz", imgs=image, gts=objects)
    validation = tmp_path / "data" / "val" / "CT" / "CT_A"
    validation.mkdir(parents=True)
    shutil.copy(a, validation / "v.npz")
    roots = [SplitRoot(split=split, folder=tmp_path / "data" / split) for split in ("train", "val")]
    build_index(tmp_path / "index", roots, Catalogue(PROMPTS, ORIGINS), 0)
    with Index(tmp_path / "index") as index:
        return find_all(index)


def test_totals_of_a_data_set(findings: Findings) -> None:
    rows = {(row.split, row.dataset): row for row in findings.datasets}
    assert list(rows) == [
        ("train", "CT_A"),
        ("train", "CT_new"),
        ("train", "Microscopy_B"),
        ("val", "CT_A"),
    ]
    ct = rows["train", "CT_A"]
    assert (ct.cases, ct.usable, ct.subjects, ct.classes) == (6, 5, 3, 5)
    assert ct.shape_low == ct.shape_high == (6, 10, 8)
    assert (ct.spacing_low, ct.spacing_high) == ((0.5, 1.0, 3.0), (1.0, 1.0, 4.0))
    assert ct.voxels == 5 * 480
    assert rows["train", "Microscopy_B"].instance
    assert rows["train", "Microscopy_B"].spacing_low is None
    assert findings.trainable == 6


def test_broken_and_doubtful_cases_are_apart(findings: Findings) -> None:
    assert [(row.kind, row.path) for row in findings.broken] == [("missing key", "CT/CT_A/d.npz")]
    assert [(row.kind, row.path) for row in findings.doubtful] == [
        ("constant image", "CT/CT_A/e.npz"),
        ("constant image", "CT/CT_A/f.npz"),
    ]


def test_the_same_image_is_found_and_constant_ones_are_not(findings: Findings) -> None:
    assert findings.duplicates == [
        DuplicateGroup(
            paths=(("train", "CT/CT_A/a.npz"), ("val", "CT/CT_A/v.npz")),
            same_labels=2,
            across_splits=True,
        ),
        DuplicateGroup(
            paths=(("train", "CT/CT_A/b.npz"), ("train", "CT/CT_A/c.npz")),
            same_labels=1,
            across_splits=False,
        ),
    ]


def test_a_group_says_how_many_share_their_labels(
    tmp_path: Path, write_case: Callable[..., Path], catalogue: Catalogue
) -> None:
    for name in "ab":
        write_case(f"CT/CT_A/{name}.npz")
    write_case("CT/CT_A/c.npz", gts=np.ones((6, 10, 8), np.uint8))
    for name in "de":
        write_case(f"CT/CT_A/{name}.npz", gts=np.full((6, 10, 8), 0.5))
    roots = [SplitRoot(split="train", folder=tmp_path / "data")]
    build_index(tmp_path / "index", roots, catalogue, 0)
    with Index(tmp_path / "index") as index:
        (group,) = find_all(index).duplicates
    assert (len(group.paths), group.same_labels, group.across_splits) == (5, 2, False)


def test_subjects_and_cases_in_the_wrong_split(findings: Findings) -> None:
    assert findings.shared_subjects == [SharedSubject("s2", {"train": 2, "val": 1})]
    assert findings.misplaced == [("train", "CT/CT_A/d.npz", "val")]
    assert findings.repeated_names == [("a", 2)]


def test_labels_and_prompts_that_miss_each_other(findings: Findings) -> None:
    assert findings.unprompted == [
        UnpromptedLabel("CT_A", 3, 1, 2, "CT/CT_A/c.npz"),
        UnpromptedLabel("CT_A", 9, 1, 80, "CT/CT_A/b.npz"),
        UnpromptedLabel("CT_A", 27, 1, 80, "CT/CT_A/c.npz"),
    ]
    assert findings.unseen == [("CT_A", 5)]
    assert findings.datasets_without_prompts == ["CT_new"]
    assert findings.datasets_without_cases == ["US_never"]
    assert findings.untrainable == ["CT/CT_A/c.npz"]
