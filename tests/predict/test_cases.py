from __future__ import annotations

import numpy as np
import pytest

from predict.cases import check_spacing, normalise_image, parse_prompts
from predict.errors import CaseError


def test_prompts_keep_their_order_and_ids() -> None:
    parsed = parse_prompts({"7": "liver", 2: "spleen", "instance_label": 0, "15": "Größe"})
    assert [(p.class_id, p.text) for p in parsed.prompts] == [
        (7, "liver"),
        (2, "spleen"),
        (15, "Größe"),
    ]
    assert not parsed.instance
    assert parsed.warnings == parsed.rejected == ()


@pytest.mark.parametrize("key", ["x", "1.0", "", "-1", 1.0, True, None, "²", "0", 0, 256, "99999"])
def test_a_wrong_id_is_rejected_alone(key: object) -> None:
    parsed = parse_prompts({key: "liver", "2": "spleen", "instance_label": 0})
    assert [p.class_id for p in parsed.prompts] == [2]
    assert len(parsed.rejected) == 1
    assert "class id" in parsed.rejected[0]


def test_of_duplicate_ids_the_first_counts() -> None:
    parsed = parse_prompts({"1": "liver", 1: "spleen", "01": "kidney", "instance_label": 0})
    assert [p.text for p in parsed.prompts] == ["liver"]
    assert len(parsed.rejected) == 2
    assert "already given" in parsed.rejected[0]


@pytest.mark.parametrize("text", ["", "  \n", None, 5, ["liver"], b"liver", "liv\udfffer"])
def test_an_unusable_text_is_rejected_alone(text: object) -> None:
    parsed = parse_prompts({"1": text, "2": "spleen", "instance_label": 0})
    assert [p.class_id for p in parsed.prompts] == [2]
    assert "prompt '1'" in parsed.rejected[0]


@pytest.mark.parametrize("table", [{}, {"instance_label": 1}, {"1": ""}])
def test_no_usable_prompt_is_an_error(table: dict[str, object]) -> None:
    with pytest.raises(CaseError, match="expected at least one usable prompt"):
        parse_prompts(table)


@pytest.mark.parametrize("value", [None, "liver", ["liver"], 3])
def test_anything_but_a_table_is_an_error(value: object) -> None:
    with pytest.raises(CaseError, match="expected a dict"):
        parse_prompts(value)


@pytest.mark.parametrize(("flag", "instance"), [(1, True), (0, False), ("1", True), (True, True)])
def test_instance_flag(flag: object, instance: bool) -> None:
    parsed = parse_prompts({"1": "nuclei", "instance_label": flag})
    assert parsed.instance is instance
    assert parsed.warnings == ()


@pytest.mark.parametrize("flag", [2, "yes", None, [1], -1, 0.5])
def test_an_odd_instance_flag_means_semantic_with_a_warning(flag: object) -> None:
    parsed = parse_prompts({"1": "nuclei", "instance_label": flag})
    assert not parsed.instance
    assert "expected 0 or 1" in parsed.warnings[0]


def test_a_missing_instance_flag_means_semantic_with_a_warning() -> None:
    parsed = parse_prompts({"1": "nuclei"})
    assert not parsed.instance
    assert "missing" in parsed.warnings[0]


def test_spacing_is_taken_as_it_is() -> None:
    assert check_spacing(np.array([0.5, 0.6, 2.0])) == ((0.5, 0.6, 2.0), ())


@pytest.mark.parametrize(
    "value", [None, [0, 1, 1], [1, 1, -2], [1, 1], [1, np.nan, 1], "wide", [1, np.inf, 1], {}]
)
def test_odd_spacing_becomes_one_with_a_warning(value: object) -> None:
    spacing, warnings = check_spacing(value)
    assert spacing == (1.0, 1.0, 1.0)
    assert "expected three positive numbers" in warnings[0]


def test_uint8_passes_untouched() -> None:
    image = np.zeros((2, 3, 4), np.uint8)
    assert normalise_image(image)[0] is image


@pytest.mark.parametrize("dtype", ["int64", "uint16", ">i4", "int16"])
def test_integers_in_range_become_uint8(dtype: str) -> None:
    image = np.arange(24).reshape(2, 3, 4).astype(dtype)
    result, warnings = normalise_image(image)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, image)
    assert warnings == ()


def test_booleans_are_stretched() -> None:
    result, warnings = normalise_image(np.eye(3, dtype=bool)[None])
    assert result.max() == 255
    assert "boolean" in warnings[0]


@pytest.mark.parametrize("offset", [-1000.0, -3.0, 300.0])
def test_values_outside_the_range_are_rescaled(offset: float) -> None:
    image = np.linspace(0, 500, 6 * 7 * 8).reshape(6, 7, 8) + offset
    result, warnings = normalise_image(image)
    assert result.dtype == np.float32
    assert result.min() == 0
    assert result.max() == pytest.approx(255)
    assert "expected 0..255" in warnings[0]


def test_a_constant_image_outside_the_range_becomes_zero() -> None:
    assert not normalise_image(np.full((2, 2, 2), 1000.0))[0].any()


def test_values_up_to_one_are_left_with_a_warning() -> None:
    image = np.linspace(0, 1, 24).reshape(2, 3, 4)
    result, warnings = normalise_image(image)
    np.testing.assert_allclose(result, image, atol=1e-6)
    assert "left as it is" in warnings[0]


def test_nan_and_infinity_become_zero() -> None:
    image = np.full((2, 2, 2), 7.0)
    image[0, 0] = 5.0, np.nan
    image[1, 1, 1] = np.inf
    result, warnings = normalise_image(image)
    assert np.isfinite(result).all()
    assert result[0, 0, 1] == result[1, 1, 1] == 0.0
    assert "2 voxels" in warnings[0]


def test_an_image_without_finite_values_is_an_error() -> None:
    with pytest.raises(CaseError, match="expected finite values"):
        normalise_image(np.full((2, 2, 2), np.nan))


@pytest.mark.parametrize("shape", [(4, 4), (1, 2, 3, 4), (0, 4, 4), (4,)])
def test_wrong_axes_are_an_error_that_knows_the_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(CaseError, match="expected three axes") as caught:
        normalise_image(np.zeros(shape))
    assert caught.value.shape == shape


@pytest.mark.parametrize("dtype", ["complex64", "U3"])
def test_other_than_real_numbers_are_an_error(dtype: str) -> None:
    with pytest.raises(CaseError, match="expected real numbers"):
        normalise_image(np.zeros((2, 2, 2), dtype))
