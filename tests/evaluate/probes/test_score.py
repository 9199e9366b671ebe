from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from evaluate.probes.score import ProbeScores, format_probes, score_probes
from evaluate.sidecars import Group
from predict.errors import CaseError

Add = Callable[[str, Mapping[str, object], list[int] | None], None]
GROUPS = {"MR_A_1": Group(dataset="Atlas", modality="MR", subject="s")}


@pytest.fixture
def add(tmp_path: Path) -> Add:
    """Write a probe and its prediction: ids along a line of 10 voxels."""

    def write(name: str, prompts: Mapping[str, object], labels: list[int] | None) -> None:
        for folder in ("probes", "predictions"):
            (tmp_path / folder).mkdir(exist_ok=True)
        np.savez(
            tmp_path / "probes" / f"{name}.npz",
            imgs=np.zeros((1, 1, 10), np.uint8),
            spacing=np.ones(3),
            text_prompts=np.array({"instance_label": 0, **prompts}, dtype=object),
        )
        if labels is not None:
            segs = np.array(labels, np.uint8)[None, None]
            np.savez(tmp_path / "predictions" / f"{name}.npz", segs=segs)

    return write


def score(tmp_path: Path) -> ProbeScores:
    return score_probes(tmp_path / "probes", tmp_path / "predictions", GROUPS)


def test_agreement_is_the_mean_dice_of_pairs(add: Add, tmp_path: Path) -> None:
    prompts = {"1": "liver", "2": "spleen"}
    add("MR_A_1__wording0", prompts, [1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    add("MR_A_1__wording1", prompts, [0, 0, 1, 1, 1, 1, 0, 0, 0, 0])
    add("MR_A_1__wording2", prompts, [1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    liver, spleen = score(tmp_path).agreements
    assert liver.dataset == "Atlas"
    assert liver.dice == pytest.approx((0.5 + 1 + 0.5) / 3)
    assert liver.worst == 0.5
    assert math.isnan(spleen.dice)


def test_objects_count_as_one_mask(add: Add, tmp_path: Path) -> None:
    prompts = {"1": "nuclei", "instance_label": 1}
    add("MR_A_1__wording0", prompts, [1, 1, 0, 2, 2, 0, 0, 0, 0, 0])
    add("MR_A_1__wording1", prompts, [2, 2, 0, 1, 1, 0, 0, 0, 0, 0])
    assert [item.dice for item in score(tmp_path).agreements] == [1.0]


def test_what_is_found_of_absent_prompts(add: Add, tmp_path: Path) -> None:
    add("MR_A_1__absent", {"1": "liver", "2": "femur"}, [0, 2, 2, 0, 0, 0, 0, 0, 0, 0])
    liver, femur = score(tmp_path).false_findings
    assert (liver.voxels, femur.voxels) == (0, 2)
    assert femur.share == 0.2


def test_table(add: Add, tmp_path: Path) -> None:
    add("MR_A_1__absent", {"1": "liver", "2": "femur"}, [0, 2, 2, 0, 0, 0, 0, 0, 0, 0])
    add("CT_B_9__wording0", {"1": "liver"}, [1, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    add("CT_B_9__wording1", {"1": "the liver"}, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    lines = format_probes(score(tmp_path)).splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert ["CT_B", "1", "1", "0.667", "0.667"] in cells
    assert ["Atlas", "2", "50.0 %", "10.000 %"] in cells


def test_a_missing_prediction_is_told(add: Add, tmp_path: Path) -> None:
    add("MR_A_1__absent", {"1": "liver"}, None)
    with pytest.raises(CaseError, match=r"MR_A_1__absent\.npz: no such file"):
        score(tmp_path)
