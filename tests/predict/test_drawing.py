from __future__ import annotations

import numpy as np
import pytest
import torch

from predict import drawing
from predict.drawing import draw_labels
from predict.labels import CPU_SLAB_BYTES, View, fuse_labels
from predict.memory import LEAST_SLAB_BYTES

SHAPE = (12, 10, 9)


@pytest.fixture
def view() -> View:
    logits = torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    return View(logits=logits, class_ids=[3, 7])


def test_slabs_are_halved_until_they_fit(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fuse(views: list[View], shape: tuple[int, int, int], slab_bytes: int) -> np.ndarray:
        asked.append(slab_bytes)
        if slab_bytes > CPU_SLAB_BYTES // 4:
            raise RuntimeError("can't allocate memory")
        return fuse_labels(views, shape, slab_bytes)

    monkeypatch.setattr(drawing, "fuse_labels", fuse)
    labels, warnings = draw_labels([view], SHAPE)
    assert asked == [CPU_SLAB_BYTES, CPU_SLAB_BYTES // 2, CPU_SLAB_BYTES // 4]
    assert warnings == ()
    np.testing.assert_array_equal(labels, fuse_labels([view], SHAPE))


def test_the_end_is_a_memory_error(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fuse(*arguments: object) -> np.ndarray:
        asked.append(arguments[-1])
        raise MemoryError

    monkeypatch.setattr(drawing, "fuse_labels", fuse)
    with pytest.raises(MemoryError, match="while masks were drawn"):
        draw_labels([view], SHAPE)
    assert asked[-1] == LEAST_SLAB_BYTES


def test_other_errors_pass(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    def fuse(*_: object) -> np.ndarray:
        raise RuntimeError("wrong")

    monkeypatch.setattr(drawing, "fuse_labels", fuse)
    with pytest.raises(RuntimeError, match="wrong"):
        draw_labels([view], SHAPE)
