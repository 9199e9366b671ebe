from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from predict.errors import UsageError
from predict.result import PromptResult, Result, as_prompts
from predict.volumes import Volume


@pytest.fixture
def result() -> Result:
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[1, :2, :3] = 2
    probability = np.full(labels.shape, 0.25, np.float16)
    return Result(
        labels=labels,
        prompts=(
            PromptResult(class_id=2, text="liver", voxels=6, volume_mm3=36.0, presence=0.9,
                         window="soft tissue", probability=probability),
            PromptResult(class_id=5, text="spleen", voxels=0, volume_mm3=0.0),
        ),
        volume=Volume(array=np.zeros((3, 4, 5), np.int16), spacing=(1.0, 2.0, 3.0), modality="CT"),
        seconds={"read": 0.25},
        warnings=("odd",),
    )  # fmt: skip


def test_what_was_found(result: Result) -> None:
    assert result["liver"].found
    assert result.not_found == ("spleen",)
    assert result.names == {2: "liver", 5: "spleen"}
    assert result.mask("liver").sum() == 6
    assert result.mask("spleen").sum() == 0
    with pytest.raises(KeyError):
        _ = result["heart"]


def test_objects_have_numbered_names(result: Result) -> None:
    objects = Result(
        labels=np.array([[[0, 1, 2]]], np.int32),
        prompts=(PromptResult(class_id=1, text="cell", voxels=2, volume_mm3=2.0),),
        volume=result.volume,
        instances=2,
    )
    assert objects.names == {1: "cell 1", 2: "cell 2"}
    assert objects.mask("cell").tolist() == [[[False, True, True]]]


def test_plain_values_are_json(result: Result) -> None:
    values = json.loads(json.dumps(result.to_dict()))
    assert values["shape"] == [3, 4, 5]
    assert values["not_found"] == ["spleen"]
    assert values["prompts"][0] == {
        "id": 2,
        "text": "liver",
        "found": True,
        "voxels": 6,
        "volume_mm3": 36.0,
        "window": "soft tissue",
        "presence": 0.9,
    }
    assert "presence" not in values["prompts"][1]


def test_masks_and_maps_have_the_images_geometry(result: Result, tmp_path: Path) -> None:
    mask = SimpleITK.ReadImage(str(result.save(tmp_path / "m.nrrd")[0]))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(mask), result.labels)
    chance = SimpleITK.ReadImage(str(result.save_probability("liver", tmp_path / "p.nii.gz")))
    assert chance.GetSpacing() == mask.GetSpacing() == (1, 2, 3)
    assert np.unique(SimpleITK.GetArrayFromImage(chance)).tolist() == [0.25]
    with pytest.raises(UsageError, match="probabilities=True"):
        result.save_probability("spleen", tmp_path / "q.nii.gz")
    with pytest.raises(UsageError, match=r"expected .nii.gz or .nii, received q.mha"):
        result.save_probability("liver", tmp_path / "q.mha")
    assert {path.suffix for path in tmp_path.iterdir()} == {".nrrd", ".gz"}


@pytest.mark.parametrize(
    ("given", "table"),
    [
        ("liver", {1: "liver"}),
        (["liver", "spleen"], {1: "liver", 2: "spleen"}),
        ({7: "liver"}, {7: "liver"}),
    ],
)
def test_prompts(given: str | Sequence[str] | Mapping[int, str], table: dict[int, str]) -> None:
    assert as_prompts(given) == table


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "expected at least one"),
        (["liver", " "], "prompt 2: expected text, received ' '"),
        ([3], "prompt 1: expected text, received 3"),
        ({0: "liver"}, "ids in 1..255, received 0"),
        (["liver"] * 2, "received 'liver' twice"),
        ([f"p{i}" for i in range(256)], "received 256"),
    ],
)
def test_unusable_prompts(given: Sequence[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        as_prompts(given)
