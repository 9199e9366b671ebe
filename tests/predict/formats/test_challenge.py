from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from predict.errors import CaseError
from predict.formats import read_volume, write_mask

WriteNpz = Callable[..., Path]


def test_image_and_spacing_of_a_case(write_npz: WriteNpz) -> None:
    read = read_volume(write_npz())
    assert read.array.shape == (6, 7, 8)
    assert read.array.dtype == np.uint8
    assert read.spacing == (0.5, 0.6, 2.0)
    assert read.kind == "npz"
    assert not read.oriented


def test_prompts_and_ground_truth_are_never_read(write_npz: WriteNpz) -> None:
    path = write_npz(text_prompts=None, gts=np.array({"x": 1}, dtype=object))
    assert read_volume(path).array.shape == (6, 7, 8)


def test_a_missing_spacing_is_a_warning(write_npz: WriteNpz) -> None:
    read = read_volume(write_npz(spacing=None))
    assert read.spacing == (1, 1, 1)
    assert "spacing" in read.extra["warnings"][0]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (None, "expected the key imgs"),
        (np.zeros((2, 3, 4, 5)), r"expected one 3D image, received 4 axes"),
        (np.zeros((1, 3, 4, 5)), r"expected three axes \(D, H, W\)"),
        (np.zeros((2, 0, 4)), "empty"),
        (np.full((2, 3, 4), np.nan), "finite values, received none"),
        (np.zeros((2, 3, 4), complex), "real numbers"),
    ],
)
def test_what_is_not_an_image_is_refused(write_npz: WriteNpz, image: object, words: str) -> None:
    with pytest.raises(CaseError, match=words) as caught:
        read_volume(write_npz(imgs=image))
    assert str(caught.value).startswith("case.npz: ")


def test_damage_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(CaseError, match=r"^a\.npz: not a readable npz"):
        read_volume(tmp_path / "a.npz")


def test_numpy_reads_the_mask(write_npz: WriteNpz, tmp_path: Path) -> None:
    read = read_volume(write_npz())
    labels = np.zeros((6, 7, 8), np.int64)
    labels[1, 2, 3] = 300
    write_mask(labels, read, tmp_path / "m.npz", {300: "cell"}, {})
    with np.load(tmp_path / "m.npz") as mask:
        assert mask["segs"].dtype == np.uint16
        np.testing.assert_array_equal(mask["segs"], labels)
