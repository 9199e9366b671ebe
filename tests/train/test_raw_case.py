from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from train.raw_case import Defect, DefectError, array_limit, hash_files, open_files, read_raw

LIMIT = 10_000


def defect_of(*paths: Path, limit: int = LIMIT) -> tuple[Defect, str]:
    with pytest.raises(DefectError) as caught, open_files(paths) as files:
        read_raw(files, limit)
    return caught.value.defect, str(caught.value)


def test_a_case_is_read_as_it_is(write_case: Callable[..., Path]) -> None:
    image = np.arange(24, dtype=">f4").reshape(2, 3, 4) - 5
    path = write_case("a.npz", imgs=image, gts=np.ones((2, 3, 4), np.int64), spacing=[1, 2, 3])
    with open_files([path]) as files:
        assert hash_files(files) == hashlib.sha256(path.read_bytes()).hexdigest()
        raw = read_raw(files, LIMIT)
    assert raw.image.dtype == np.float32
    assert np.array_equal(raw.image, image)
    assert raw.labels.sum() == 24
    assert np.array_equal(np.asarray(raw.spacing), [1, 2, 3])


def test_labels_of_another_file(write_case: Callable[..., Path]) -> None:
    image, labels = write_case("a.npz", gts=None), write_case("gt/a.npz", imgs=None)
    with open_files([image, labels]) as files:
        together = hash_files(files)
        raw = read_raw(files, LIMIT)
    assert raw.labels.max() == 2
    assert not raw.has_spacing
    with open_files([image]) as files:
        assert hash_files(files) != together


def test_pickled_spacing_is_not_decoded(write_case: Callable[..., Path]) -> None:
    path = write_case("a.npz", spacing=np.array({"x": 1}, dtype=object))
    with open_files([path]) as files:
        raw = read_raw(files, LIMIT)
    assert raw.has_spacing
    assert raw.spacing is None


def test_every_kind_of_damage_has_its_name(tmp_path: Path, write_case: Callable[..., Path]) -> None:
    good = write_case("good.npz")
    (tmp_path / "text.npz").write_text("no zip")
    (tmp_path / "half.npz").write_bytes(good.read_bytes()[:200])
    flipped = bytearray(good.read_bytes())
    flipped[120:160] = bytes(40)
    (tmp_path / "flipped.npz").write_bytes(flipped)
    for name in ("text.npz", "half.npz", "flipped.npz", "none.npz"):
        assert defect_of(tmp_path / name)[0] is Defect.UNREADABLE
    assert defect_of(write_case("a.npz", gts=None)) == (
        *(Defect.MISSING_KEY, "expected the key gts, received imgs.npy"),
    )
    assert defect_of(write_case("b.npz", gts=np.zeros((6, 10, 9))))[0] is Defect.SHAPE
    assert defect_of(write_case("c.npz", imgs=np.zeros(3), gts=np.zeros(3)))[0] is Defect.SHAPE
    empty = np.zeros((0, 3, 3))
    assert defect_of(write_case("d.npz", imgs=empty, gts=empty))[0] is Defect.SHAPE
    objects = np.full((6, 10, 8), None, dtype=object)
    assert defect_of(write_case("e.npz", imgs=objects))[0] is Defect.UNREADABLE
    words = np.full((6, 10, 8), "abc")
    assert defect_of(write_case("f.npz", gts=words))[0] is Defect.UNREADABLE


def test_what_is_too_large_is_not_inflated(write_case: Callable[..., Path]) -> None:
    defect, message = defect_of(write_case("a.npz"), limit=479)
    assert defect is Defect.TOO_LARGE
    assert message.startswith("needs 480 bytes, at most 479 are accepted")


def test_more_workers_share_the_memory() -> None:
    assert array_limit(1) == array_limit(0)
    assert array_limit(8) == array_limit(1) // 8
