from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from predict.cases import normalise_image
from predict.errors import CaseError, UsageError
from predict.volumes import Volume
from predict.windows import (
    BONE,
    BRAIN,
    LUNG,
    PERCENTILES,
    SOFT_TISSUE,
    Window,
    choose_windows,
    is_ct,
    parse_window,
    prepare,
    window_of_prompt,
)


def volume(values: Any, dtype: str = "int16", **fields: Any) -> Volume:
    array = np.asarray(values, dtype).reshape(1, 1, -1)
    return Volume(array=array, spacing=(1, 1, 1), **fields)


@pytest.mark.parametrize(
    ("window", "low", "high"),
    [
        (SOFT_TISSUE, -160, 240),
        (LUNG, -910, 590),
        (BRAIN, 0, 80),
        (BONE, -500, 1300),
        (Window("100,50", 100, 50), 0, 100),
    ],
)
def test_a_window_runs_from_half_its_width_below_its_level(
    window: Window, low: int, high: int
) -> None:
    image = volume([-3000, low, (low + high) // 2, high, 3000])
    assert prepare(image, window).ravel().tolist() == [0, 0, 128, 255, 255]
    assert prepare(image, window).dtype == np.uint8


@pytest.mark.parametrize(
    ("prompt", "window"),
    [
        ("liver in abdominal CT", SOFT_TISSUE),
        ("Left Lung Upper Lobe", LUNG),
        ("COVID-19 infection", LUNG),
        ("main bronchus", LUNG),
        ("pulmonary artery on chest CT", SOFT_TISSUE),
        ("intracranial haemorrhage", BRAIN),
        ("brain", BRAIN),
        ("brain stem on head and neck CT", SOFT_TISSUE),
        ("L3 vertebra", BONE),
        ("vertebral artery", SOFT_TISSUE),
        ("left rib 7", BONE),
        ("hip_left", BONE),
        ("mandible", BONE),
        ("submandibular gland", SOFT_TISSUE),
        ("spinal cord in the spine", SOFT_TISSUE),
        ("organ in the abdomen and pelvis", SOFT_TISSUE),
    ],
)
def test_the_prompt_chooses_the_window(prompt: str, window: Window) -> None:
    assert window_of_prompt(prompt) == window


def test_prompts_of_one_call_keep_their_order() -> None:
    image = volume([-1000, 40, 500], modality="CT")
    assert choose_windows(image, ["liver", "lung", "liver"]) == (SOFT_TISSUE, LUNG, SOFT_TISSUE)
    assert choose_windows(image, ["liver", "lung"], "bone") == (BONE, BONE)


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("soft-tissue", SOFT_TISSUE),
        ("Lung", LUNG),
        ("percentiles", PERCENTILES),
        ("80,40", Window("80,40", 80, 40)),
        ("1500, -600", Window("1500,-600", 1500, -600)),
    ],
)
def test_a_person_may_choose(text: str, window: Window) -> None:
    assert parse_window(text) == window


@pytest.mark.parametrize("text", ["abdomen", "0,40", "-1,4", "400", "a,b", "1,2,3", "nan,1", ""])
def test_an_unknown_window_is_a_wrong_call(text: str) -> None:
    with pytest.raises(UsageError, match="window: expected soft tissue, lung"):
        parse_window(text)


@pytest.mark.parametrize(
    ("values", "dtype", "fields", "expected"),
    [
        ([-1000, 0, 50], "int16", {}, True),
        ([-1000, 0, 50], "float32", {}, True),
        ([-1000, 0, np.nan], "float64", {}, True),
        ([-1000.5, 0, 50], "float32", {}, False),
        ([-500, 0, 50], "int16", {}, False),
        ([0, 1000], "uint16", {}, False),
        ([-1000, 0], "int16", {"modality": "MR"}, False),
        ([0, 1000], "uint16", {"modality": "CT"}, True),
        ([-1000, 0], "int16", {"kind": "npz"}, False),
    ],
)
def test_what_is_a_ct(values: Any, dtype: str, fields: Any, expected: bool) -> None:
    assert is_ct(volume(values, dtype, **fields)) is expected


@pytest.mark.parametrize(
    ("values", "dtype", "fields"),
    [
        ([0, 3, 9], "uint8", {}),
        ([0, 100, 255], "int16", {"modality": "CT"}),
        ([0, 0.5, 200], "float32", {}),
        ([0, 0.5, 1], "float32", {"kind": "npz"}),
    ],
)
def test_what_is_in_the_range_is_left_alone(values: Any, dtype: str, fields: Any) -> None:
    image = volume(values, dtype, **fields)
    assert choose_windows(image, ["lung"]) == (PERCENTILES,)
    np.testing.assert_array_equal(prepare(image, PERCENTILES), image.array)


def test_a_faint_image_is_stretched() -> None:
    """A PET in SUV or an MR scaled to 0..1 is within 0..255, but not of that range."""
    image = volume(np.linspace(0, 1, 1001), "float32")
    result = prepare(image, PERCENTILES)
    assert result.min() == 0
    assert result.max() == 255
    assert result.ravel()[500] == pytest.approx(127.5, abs=0.1)


def test_percentiles_by_hand() -> None:
    image = volume(np.arange(1001), "uint16", modality="MR")
    result = prepare(image, PERCENTILES).ravel()
    assert result[[0, 5, 500, 995, 1000]].tolist() == pytest.approx([0, 0, 127.5, 255, 255])


def test_missing_values_are_dark() -> None:
    values = [np.nan, -np.inf, np.inf, 40]
    assert prepare(volume(values, "float32"), SOFT_TISSUE).ravel().tolist() == [0, 0, 255, 128]
    stretched = prepare(volume([*range(1000), np.nan], "float32"), PERCENTILES)
    assert stretched.ravel()[-1] == 0
    with pytest.raises(CaseError, match="finite"):
        prepare(volume([np.nan, np.nan], "float32"), PERCENTILES)


def test_an_npz_is_prepared_as_a_case_of_the_challenge_is() -> None:
    array = np.random.default_rng(0).normal(300, 100, (4, 5, 6))
    image = Volume(array=array, spacing=(1, 1, 1), kind="npz", oriented=False)
    np.testing.assert_array_equal(prepare(image, PERCENTILES), normalise_image(array)[0])


@pytest.mark.parametrize("window", [SOFT_TISSUE, PERCENTILES])
def test_preparation_does_not_depend_on_the_order_of_storage(
    store: Callable[..., Any], order: Any, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("predict.cases.SAMPLE_VOXELS", 20)  # percentiles of a sample
    anatomy = np.random.default_rng(1).integers(-1000, 1000, (3, 4, 5)).astype(np.int16)
    expected = prepare(Volume(array=anatomy, spacing=(1, 1, 1)), window)
    result = prepare(Volume(**store(anatomy, order)._asdict()), window)
    np.testing.assert_array_equal(result, expected)
    assert result.flags.c_contiguous
