from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evaluate import overlap
from evaluate.overlap import count_overlap

labels = arrays(np.int32, (3, 4, 5), elements=st.integers(0, 4))


@given(labels, labels)
def test_sizes_are_voxel_counts(prediction: np.ndarray, truth: np.ndarray) -> None:
    counted = count_overlap(prediction, truth)
    for label in range(1, 6):
        a, b = prediction == label, truth == label
        assert counted.sizes(label) == (a.sum(), b.sum(), (a & b).sum())


@given(labels, labels)
def test_large_ids_and_large_tables_count_the_same(
    prediction: np.ndarray, truth: np.ndarray
) -> None:
    plain = count_overlap(prediction, truth)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlap, "MAX_TABLE", 3)
        sparse = count_overlap(prediction, truth)
    assert np.array_equal(plain.predicted, sparse.predicted)
    assert np.array_equal(plain.true_voxels, sparse.true_voxels)
    assert np.array_equal(plain.shared.toarray(), sparse.shared.toarray())


def test_empty_volumes_have_no_labels() -> None:
    empty = np.zeros((2, 2, 2), np.uint8)
    counted = count_overlap(empty, empty)
    assert counted.predicted.size == counted.true.size == 0
    assert counted.shared.shape == (0, 0)


def test_other_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected shape \(2, 2, 2\), received \(1, 2, 2\)"):
        count_overlap(np.zeros((1, 2, 2), np.uint8), np.zeros((2, 2, 2), np.uint8))
