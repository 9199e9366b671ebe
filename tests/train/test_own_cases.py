from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from predict.errors import UsageError
from train.own_cases import read_own_cases

Write = Callable[..., Path]
LABELS = np.zeros((6, 7, 8), np.uint8)
LABELS[1:3, 2:5, 3:6], LABELS[4, 4, 4] = 1, 7


def test_a_flat_folder_is_one_data_set(write_npz: Write) -> None:
    folder = write_npz("a.npz", gts=LABELS).parent
    write_npz("b.npz", gts=LABELS, text_prompts={"1": "the liver", "instance_label": 0})
    own = read_own_cases(folder, "CT")
    assert [v.name for v in own.volumes] == ["a", "b"]
    assert {v.dataset for v in own.volumes} == {folder.name}
    assert {v.modality for v in own.volumes} == {"CT"}
    assert own.prompts == {1: ("liver", "the liver"), 2: ("left kidney",)}
    assert not own.instance
    assert own.volumes[0].classes == (1,)  # 7 has no prompt, 2 is not there
    np.testing.assert_array_equal(own.volumes[0].labels, LABELS)


def test_images_of_any_range_are_brought_to_ours(write_npz: Write) -> None:
    image = np.linspace(-1000, 2000, LABELS.size).reshape(LABELS.shape)
    (volume,) = read_own_cases(write_npz(imgs=image, gts=LABELS).parent).volumes
    assert volume.image.dtype == np.uint8
    assert (volume.image.min(), volume.image.max()) == (0, 255)


def test_objects_are_one_class(write_npz: Write) -> None:
    prompts = {"1": "nuclei", "instance_label": 1}
    own = read_own_cases(write_npz(gts=LABELS, text_prompts=prompts).parent)
    assert own.instance
    assert own.volumes[0].classes == (1,)
    np.testing.assert_array_equal(own.volumes[0].labels, LABELS > 0)


def test_broken_files_are_logged_and_left_out(
    write_npz: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write_npz("good.npz", gts=LABELS)
    write_npz("no_labels.npz")
    write_npz("odd.npz", gts=LABELS[1:])
    folder = write_npz("fractions.npz", gts=LABELS + 0.5).parent
    with caplog.at_level(logging.WARNING):
        assert [v.name for v in read_own_cases(folder).volumes] == ["good"]
    for name in ("gts", "(6, 7, 8)", "fractions"):
        assert name in caplog.text


def test_a_folder_without_a_usable_case_is_refused(write_npz: Write) -> None:
    with pytest.raises(UsageError, match="none fits"):
        read_own_cases(write_npz().parent)


def test_mixed_kinds_of_labels_are_refused(write_npz: Write) -> None:
    write_npz("a.npz", gts=LABELS)
    folder = write_npz("b.npz", gts=LABELS, text_prompts={"1": "x", "instance_label": 1}).parent
    with pytest.raises(UsageError, match="one instance_label"):
        read_own_cases(folder)
