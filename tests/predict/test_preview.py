from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from predict.preview import label_colour, write_preview

from predict.cases import Case, Prompt


def _case(instance: bool = False) -> Case:
    rng = np.random.default_rng(0)
    return Case(
        name="a case",
        image=rng.integers(0, 200, (10, 40, 30), np.uint8),
        spacing=(1.0, 1.0, 3.0),
        prompts=(
            Prompt(class_id=5, text="liver"),
            Prompt(class_id=6, text="a very long prompt " * 20),
        ),
        instance=instance,
    )


def _labels() -> np.ndarray:
    labels = np.zeros((10, 40, 30), np.uint8)
    labels[3:6, 10:20, 10:20] = 5
    return labels


def test_draws_the_found_class_in_its_colour(tmp_path: Path) -> None:
    path = write_preview(_case(), _labels(), tmp_path / "previews")
    assert path.name == "a case.png"
    pixels = np.asarray(Image.open(path)).reshape(-1, 3)
    assert (pixels == label_colour(5)).all(1).any()
    assert not (pixels == label_colour(6)).all(1).any()
    assert [p.name for p in path.parent.iterdir()] == ["a case.png"]


def test_planes_keep_their_true_aspect(tmp_path: Path) -> None:
    """30 x 40 in-plane and 10 slices of 3 mm: the widest panel is 3:4, the frontal one square."""
    width, height = Image.open(write_preview(_case(), _labels(), tmp_path)).size
    assert height >= 320
    assert width > 240 + 320 + 320


def test_nothing_found_and_instances_are_drawn_too(tmp_path: Path) -> None:
    nothing = np.zeros((10, 40, 30), np.uint8)
    assert write_preview(_case(), nothing, tmp_path).exists()
    objects = np.zeros((10, 40, 30), np.int32)
    objects[1, 1, 1], objects[5:, 5:, 5:] = 300, 2
    pixels = np.asarray(Image.open(write_preview(_case(instance=True), objects, tmp_path)))
    assert (pixels == label_colour(2)).all(-1).any()


def test_colours_of_neighbouring_labels_differ() -> None:
    assert len({label_colour(i) for i in range(1, 60)}) == 59
