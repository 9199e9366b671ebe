from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evaluate.cases import read_info, read_labels
from evaluate.probes.make import WORDINGS, make_probes
from evaluate.sidecars import Group
from predict.errors import UsageError

BRAIN = {1: "left putamen", 2: "right putamen"}


def group(names: dict[int, str]) -> Group:
    return Group(dataset="MR_A", modality="MR", subject="s", class_names=names)


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    folder = tmp_path / "inputs"
    folder.mkdir()
    for name, flag in (("MR_A_1", 0), ("MR_A_2", 1), ("MR_A_3", 0)):
        prompts = {"1": "the left putamen", "instance_label": flag}
        np.savez(
            folder / f"{name}.npz",
            imgs=np.arange(24, dtype=np.int16).reshape(2, 3, 4),
            spacing=np.array([0.5, 1.0, 2.0]),
            text_prompts=np.array(prompts, dtype=object),
        )
    return folder


def test_every_wording_asks_for_the_prompted_classes_by_name(inputs: Path, tmp_path: Path) -> None:
    groups = {"MR_A_1": group(BRAIN), "CT_B_1": group({1: "liver", 2: "left femur"})}
    written = make_probes(inputs, groups, tmp_path / "out")
    assert [path.stem for path in written] == [
        *(f"MR_A_1__wording{k}" for k in range(len(WORDINGS))),
        "MR_A_1__absent",
    ]
    texts = [read_info(path).prompts for path in written[:-1]]
    assert texts[0] == {1: "left putamen"}
    assert texts[3] == {1: "WHERE IS THE LEFT PUTAMEN?"}
    assert len({text[1] for text in texts}) == len(WORDINGS)


def test_absent_prompts_are_of_other_parts_of_the_body(inputs: Path, tmp_path: Path) -> None:
    groups = {"MR_A_1": group(BRAIN), "CT_B_1": group({1: "liver", 2: "left femur", 3: "lesion"})}
    info = read_info(make_probes(inputs, groups, tmp_path / "out")[-1])
    assert sorted(info.prompts.values()) == ["left femur", "liver"]
    again = read_info(make_probes(inputs, groups, tmp_path / "again")[-1])
    assert again.prompts == info.prompts


def test_image_spacing_and_instance_flag_are_kept(inputs: Path, tmp_path: Path) -> None:
    groups = {"MR_A_2": group({1: "cell nucleus"}), "CT_B_1": group({1: "liver"})}
    first, *_, absent = make_probes(inputs, groups, tmp_path / "out")
    assert read_info(first).instance
    assert not read_info(absent).instance
    assert read_info(first).spacing == (0.5, 1.0, 2.0)
    np.testing.assert_array_equal(
        read_labels(first, "imgs"), np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    )


def test_without_names_there_are_no_probes(inputs: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected cases with class names"):
        make_probes(inputs, {"MR_A_1": group({})}, tmp_path / "out")
