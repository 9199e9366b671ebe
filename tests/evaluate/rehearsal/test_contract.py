from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evaluate.cases import CaseInfo
from evaluate.rehearsal.contract import check_output

SHAPE = (2, 12, 12)


def problems(tmp_path: Path, labels: np.ndarray, *, key: str = "segs", **info: bool) -> list[str]:
    path = tmp_path / "case.npz"
    np.savez(path, **{key: labels})
    asked = CaseInfo(
        name="case",
        prompts={1: "liver", 3: "spleen"},
        instance=info.get("instance", False),
        spacing=(1.0, 1.0, 1.0),
    )
    return check_output(path, SHAPE, asked)


@pytest.mark.parametrize("ids", [[0], [1], [0, 1, 3]])
def test_prompted_ids_keep_the_contract(tmp_path: Path, ids: list[int]) -> None:
    labels = np.resize(np.array(ids, np.uint8), SHAPE)
    assert problems(tmp_path, labels) == []


def test_every_broken_rule_is_named(tmp_path: Path) -> None:
    assert problems(tmp_path, np.full(SHAPE, 2, np.int16)) == [
        "segs: expected uint8, received int16",
        "segs: expected ids among the prompts' 1, 3, received 2",
    ]
    assert "expected shape (2, 12, 12), received (2, 3, 4)" in str(
        problems(tmp_path, np.zeros((2, 3, 4), np.uint8))
    )
    assert "expected the key segs, received mask" in str(
        problems(tmp_path, np.zeros(SHAPE, np.uint8), key="mask")
    )


def test_missing_file(tmp_path: Path) -> None:
    info = CaseInfo(name="case", prompts={1: "liver"}, instance=False, spacing=(1.0, 1.0, 1.0))
    assert check_output(tmp_path / "case.npz", SHAPE, info) == ["case.npz: no such file"]


def test_instances_are_numbered_without_gaps_up_to_255(tmp_path: Path) -> None:
    several = np.resize(np.arange(0, 256, dtype=np.uint8), SHAPE)
    assert problems(tmp_path, several, instance=True) == []
    gap = np.where(several == 7, 0, several)
    assert "expected instances 1..n, received 1, 2, 3, 4, 5, 6, ..." in str(
        problems(tmp_path, gap, instance=True)
    )
    many = np.resize(np.arange(0, 257, dtype=np.int32), SHAPE)
    assert problems(tmp_path, many, instance=True) == [
        "segs: expected uint8, received int32",
        "segs: expected at most 255 instances, received 256",
    ]
