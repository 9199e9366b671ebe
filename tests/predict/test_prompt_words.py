from __future__ import annotations

import pytest

from predict.prompt_words import joins_sides, modalities_of, sides_of, structure_words


@pytest.mark.parametrize(
    ("text", "modalities"),
    [
        ("liver", set()),
        ("Liver in abdominal CT", {"CT"}),
        ("structure on a T1-weighted image", {"MR"}),
        ("tumour, FLAIR", {"MR"}),
        ("lesion in FDG PET/CT", {"PET", "CT"}),
        ("left ventricle (US)", {"US"}),
        ("show us the liver", set()),
        ("nuclei in fluorescence microscopy", {"Microscopy"}),
        ("T12 vertebra", set()),
        ("the actual duct", set()),
    ],
)
def test_modalities(text: str, modalities: set[str]) -> None:
    assert modalities_of(text) == modalities


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("left kidney", {"left"}),
        ("kidney, right side", {"right"}),
        ("both kidneys", {"left", "right"}),
        ("left and right kidney", {"left", "right"}),
        ("left kidney on the right", {"left", "right"}),
        ("L rib 9", {"left"}),
        ("L 5", set()),
        ("L5 vertebra", set()),
        ("a bright spot", set()),
    ],
)
def test_sides(text: str, sides: set[str]) -> None:
    assert sides_of(text) == sides


def test_sides_that_are_joined_and_sides_that_contradict() -> None:
    assert joins_sides("left and right kidney")
    assert not joins_sides("left kidney on the right")


def test_structure_is_what_is_left() -> None:
    assert structure_words("Please segment the Left Kidneys on this abdominal CT.") == {"kidney"}
    assert structure_words("hepatic tumours") == {"hepatic", "tumor"}
    assert structure_words("the arteries of the pancreas") == {"artery", "pancreas"}
    assert structure_words("please show me") == frozenset()
