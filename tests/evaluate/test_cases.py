from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evaluate.cases import as_ids, read_info, read_labels
from predict.errors import CaseError

WriteNpz = Callable[..., Path]


def test_info(write_npz: WriteNpz) -> None:
    info = read_info(write_npz("CT_A_1.npz"))
    assert (info.name, info.instance, info.spacing) == ("CT_A_1", False, (0.5, 0.6, 2.0))
    assert dict(info.prompts) == {1: "liver", 2: "left kidney"}


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"spacing": None}, "expected the key spacing, received imgs, text_prompts"),
        ({"spacing": np.array([1.0, 0.0, 1.0])}, "spacing: expected three positive numbers"),
        ({"text_prompts": None}, "expected the key text_prompts"),
        ({"text_prompts": np.array([1, 2])}, "expected a pickled dict, received an array of int64"),
        ({"text_prompts": np.array(["liver"], object)}, "expected a dict, received str"),
        ({"text_prompts": {"1": "liver"}}, "instance_label: expected 0 or 1, received None"),
        ({"text_prompts": {"1": "liver", "instance_label": 2}}, "expected 0 or 1, received 2"),
        ({"text_prompts": {"one": "liver", "instance_label": 0}}, "invalid literal"),
    ],
)
def test_unusable_info(write_npz: WriteNpz, replaced: dict[str, object], message: str) -> None:
    with pytest.raises(CaseError, match=message) as caught:
        read_info(write_npz(**replaced))
    assert "\n" not in str(caught.value)


class Attack:
    """Calls os.mkdir when it is unpickled."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.target,)


def test_hostile_prompts_are_not_run(write_npz: WriteNpz, tmp_path: Path) -> None:
    target = tmp_path / "attacked"
    path = write_npz(text_prompts=np.array(Attack(str(target)), dtype=object))
    with pytest.raises(CaseError, match="refused"):
        read_info(path)
    assert not target.exists()


def test_hostile_labels_are_not_run(tmp_path: Path) -> None:
    target = tmp_path / "attacked"
    np.savez(tmp_path / "a.npz", segs=np.array(Attack(str(target)), dtype=object))
    with pytest.raises(CaseError, match="segs: expected numbers, received object"):
        read_labels(tmp_path / "a.npz", "segs")
    assert not target.exists()


def test_labels_come_as_they_are(tmp_path: Path) -> None:
    labels = np.arange(8, dtype=np.int16).reshape(2, 2, 2)
    np.savez_compressed(tmp_path / "a.npz", segs=labels)
    read = read_labels(tmp_path / "a.npz", "segs", (2, 2, 2))
    assert read.dtype == np.int16
    assert np.array_equal(read, labels)


def test_unusable_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(CaseError, match=r"a\.npz: no such file"):
        read_labels(path, "segs")
    path.write_bytes(b"not a zip")
    with pytest.raises(CaseError, match=r"a\.npz: File is not a zip file"):
        read_labels(path, "segs")
    np.savez(path, mask=np.zeros((2, 2, 2)))
    with pytest.raises(CaseError, match="expected the key segs, received mask"):
        read_labels(path, "segs")
    np.savez(path, segs=np.zeros((2, 2, 3)))
    with pytest.raises(CaseError, match=r"expected shape \(2, 2, 2\), received \(2, 2, 3\)"):
        read_labels(path, "segs", (2, 2, 2))
    np.savez(path, segs=np.zeros((2, 2)))
    with pytest.raises(CaseError, match=r"expected three axes \(D, H, W\), received \(2, 2\)"):
        read_labels(path, "segs")


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.uint32, np.float32])
def test_whole_numbers_are_ids(dtype: type) -> None:
    ids = as_ids(np.array([[[0, 1]]], dtype=dtype))
    assert ids.dtype.kind in "iu"
    assert ids.tolist() == [[[0, 1]]]


@pytest.mark.parametrize("value", [-1, 0.5, np.nan, 2.0**40])
def test_other_numbers_are_not_ids(value: float) -> None:
    with pytest.raises(CaseError, match="labels: expected"):
        as_ids(np.array([[[0, value]]]))
