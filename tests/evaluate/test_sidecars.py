from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluate.sidecars import group_of, read_groups, read_seconds
from predict.errors import UsageError


def write(path: Path, values: object) -> Path:
    path.write_text(json.dumps(values))
    return path


@pytest.mark.parametrize(
    ("case", "dataset", "modality"),
    [
        ("CT_OpenKBP_pt_206", "CT_OpenKBP", "CT"),
        ("MR_SCT_t1w", "MR_SCT", "MR"),
        ("MR_BraTS2015_test_2013_pat0002_1_T1c", "MR_BraTS2015", "MR"),
        ("case", "case", "case"),
    ],
)
def test_group_from_the_name(case: str, dataset: str, modality: str) -> None:
    group = group_of(case)
    assert (group.dataset, group.modality, group.subject) == (dataset, modality, case)


def test_groups_from_a_file(tmp_path: Path) -> None:
    case = {"dataset": "CT_A", "modality": "CT", "subject": "7", "classes": {"1": "liver"}}
    groups = read_groups(write(tmp_path / "a.json", {"val": {"CT_A_7_ED": case}}))
    assert groups["CT_A_7_ED"].subject == "7"
    assert groups["CT_A_7_ED"].class_names == {1: "liver"}


@pytest.mark.parametrize("values", [[], {"val": {"a": {}}}, {"val": 3}])
def test_other_files_are_no_groups(tmp_path: Path, values: object) -> None:
    with pytest.raises(UsageError, match="expected"):
        read_groups(write(tmp_path / "a.json", values))


@pytest.mark.parametrize(
    "values",
    [
        {"a": 1.5},
        {"cases": [{"case": "a.npz", "seconds": {"total": 1.5}}, {"case": "b", "seconds": {}}]},
        {"cases": [{"case": "a", "seconds": 1.5}]},
    ],
)
def test_seconds(tmp_path: Path, values: object) -> None:
    assert read_seconds(write(tmp_path / "a.json", values)) == {"a": 1.5}


@pytest.mark.parametrize("values", [3, {"a": "soon"}, {"cases": [{}]}])
def test_other_files_are_no_seconds(tmp_path: Path, values: object) -> None:
    with pytest.raises(UsageError, match="expected"):
        read_seconds(write(tmp_path / "a.json", values))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a readable JSON file"):
        read_seconds(tmp_path / "none.json")
