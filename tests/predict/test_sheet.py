from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from predict.cases import Case, Prompt
from predict.colours import label_colour
from predict.result import PromptResult, Result
from predict.sheet import (
    MOST_ROWS,
    Scene,
    draw_sheet,
    fullest_plane,
    plane_counts,
    round_length,
    scene_of_case,
    scene_of_result,
    write_sheet,
)
from predict.volumes import Volume

SHAPE = (10, 40, 30)


def _scene(**changes: object) -> Scene:
    labels = np.zeros(SHAPE, np.uint8)
    labels[3:6, 10:20, 10:20] = 5
    grey = np.random.default_rng(0).integers(0, 200, SHAPE, np.uint8)
    scene = Scene(
        title="a case",
        labels=labels,
        greys=dict.fromkeys((0, 5, 6), grey),
        spacing=(1.0, 1.0, 3.0),
        names={5: "liver", 6: "a very long prompt " * 20},
        presence={5: 0.9},
    )
    return replace(scene, **changes)  # type: ignore[arg-type]


def has(picture: Image.Image, label: int) -> bool:
    return bool((np.asarray(picture) == label_colour(label)).all(axis=-1).any())


def test_the_found_class_is_drawn_in_its_colour(tmp_path: Path) -> None:
    path = write_sheet(_scene(), tmp_path / "new" / "a.png")
    with Image.open(path) as picture:
        assert has(picture, 5)
        assert not has(picture, 6)
    assert [p.name for p in path.parent.iterdir()] == ["a.png"]


def test_a_row_for_each_class_and_no_more_than_fit() -> None:
    one = draw_sheet(_scene()).height
    labels = np.zeros(SHAPE, np.uint8)
    labels[0, 0, :20] = range(1, 21)
    names = {i: f"class {i}" for i in range(1, 21)}
    many = _scene(labels=labels, names=names, greys=dict.fromkeys(range(21), labels), presence={})
    assert draw_sheet(many).height < (MOST_ROWS + 3) * one
    two = {1: "a", 2: "b"}
    assert draw_sheet(replace(many, names=two)).height > 1.5 * one


def test_nothing_found_still_gives_a_picture() -> None:
    picture = draw_sheet(_scene(labels=np.zeros(SHAPE, np.uint8)))
    assert not has(picture, 5)
    assert picture.height > 200


def test_long_names_do_not_widen_the_sheet() -> None:
    short = draw_sheet(_scene(names={5: "liver"}))
    assert draw_sheet(_scene(names={5: "liver " * 50})).width == short.width


def test_objects_of_any_number_are_drawn() -> None:
    labels = np.zeros(SHAPE, np.int32)
    labels[1, 1:3, 1:3], labels[5:, 5:, 5:] = 300, 2
    case = Case(name="c", image=np.zeros(SHAPE, np.uint8), spacing=(1, 1, 1), instance=True,
                prompts=(Prompt(class_id=1, text="cell"),))  # fmt: skip
    scene = scene_of_case(case, labels)
    assert scene.objects == 2
    assert has(draw_sheet(scene), 2)


def test_a_challenge_case_does_not_tell_its_sides() -> None:
    case = Case(name="c", image=np.zeros(SHAPE, np.uint8), spacing=(1, 1, 1), instance=False,
                prompts=(Prompt(class_id=7, text="liver"),))  # fmt: skip
    scene = scene_of_case(case, np.zeros(SHAPE, np.uint8))
    assert not scene.oriented
    assert scene.names == {7: "liver"}


def test_a_result_is_shown_in_canonical_order_and_its_window() -> None:
    array = np.linspace(-1000, 1000, 24, dtype=np.int16).reshape(2, 3, 4)
    labels = np.zeros((2, 3, 4), np.uint8)
    labels[0, 0, 0] = 1
    flipped = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)
    result = Result(
        labels=labels,
        prompts=(PromptResult(class_id=1, text="x", voxels=1, volume_mm3=1, window="bone"),),
        volume=Volume(array=array, spacing=(1, 1, 1), direction=flipped, modality="CT"),
    )
    scene = scene_of_result(result, "t")
    assert scene.labels[0, -1, -1] == 1
    assert scene.labels.sum() == 1
    # Bone: W1800 L400, hence -500 and below is black.
    np.testing.assert_array_equal(scene.greys[1] == 0, array[:, ::-1, ::-1] <= -497)
    assert draw_sheet(scene).height > 200


def test_counts_of_every_plane() -> None:
    labels = np.random.default_rng(0).integers(0, 4, (4, 5, 6)).astype(np.uint8)
    counts = plane_counts(labels)
    for axis, table in enumerate(counts):
        assert sorted(table) == [1, 2, 3]
        others = tuple({0, 1, 2} - {axis})
        for label, planes in table.items():
            np.testing.assert_array_equal(planes, (labels == label).sum(axis=others))


def test_fullest_plane() -> None:
    labels = np.zeros((5, 4, 4), np.uint8)
    assert fullest_plane(labels, 0) == 2
    labels[4, 0, :2], labels[1, 0, 0] = 1, 9
    assert fullest_plane(labels, 0) == 4


@pytest.mark.parametrize(
    ("most", "length"), [(73, 50), (50, 50), (49.9, 20), (1.5, 1), (0.07, 0.05), (1000, 1000)]
)
def test_round_lengths(most: float, length: float) -> None:
    assert round_length(most) == pytest.approx(length)
