from __future__ import annotations

from evaluate.regions import elsewhere, regions, regions_of

NAMES = ["left putamen", "liver", "right rib 9", "lesion", "cell nucleus", "left femur"]


def test_names_lie_where_their_words_do() -> None:
    assert regions_of("Left Putamen") == {"brain"}
    assert regions_of("right lung lower lobe") == {"chest", "abdomen"}
    assert regions_of("lesion") == set()


def test_only_what_lies_in_no_part_of_ones_own_is_elsewhere() -> None:
    assert elsewhere(["anterior hippocampus"], NAMES) == [
        *("liver", "right rib 9", "cell nucleus", "left femur")
    ]
    assert elsewhere(["left ventricle"], NAMES) == ["left putamen", "cell nucleus", "left femur"]


def test_nothing_is_known_to_be_elsewhere_of_what_can_be_anywhere() -> None:
    assert elsewhere(["lesion", "left putamen"], NAMES) == []
    assert elsewhere([], NAMES) == []


def test_every_word_is_lower_case() -> None:
    assert all(word == word.lower() for words in regions().values() for word in words)
