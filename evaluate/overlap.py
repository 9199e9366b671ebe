"""How many voxels each predicted label shares with each true one: what most metrics need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array

MAX_TABLE = 2**25


@dataclass(frozen=True)
class Overlap:
    """Voxel counts of two label volumes; 0 is background and not listed.

    Attributes:
        predicted: (P,) ids, ascending.
        true: (T,) ids, ascending.
        predicted_voxels: (P,) size of each.
        true_voxels: (T,) size of each.
        shared: (P, T) sparse voxel counts of the intersections.
    """

    predicted: np.ndarray
    true: np.ndarray
    predicted_voxels: np.ndarray
    true_voxels: np.ndarray
    shared: csr_array

    def sizes(self, label: int) -> tuple[int, int, int]:
        """Voxels predicted, true and shared of one id; 0 where it does not occur."""
        rows = np.flatnonzero(self.predicted == label)
        columns = np.flatnonzero(self.true == label)
        return (
            int(self.predicted_voxels[rows].sum()),
            int(self.true_voxels[columns].sum()),
            int(self.shared[rows][:, columns].sum()),
        )


def count_overlap(prediction: np.ndarray, truth: np.ndarray) -> Overlap:
    """Compare two volumes of non-negative integer labels of one shape, in one pass."""
    if prediction.shape != truth.shape:
        raise ValueError(f"expected shape {truth.shape}, received {prediction.shape}")
    labelled = (prediction != 0) | (truth != 0)
    predicted, rows = _compact(prediction[labelled])
    true, columns = _compact(truth[labelled])
    pairs = rows * true.size + columns
    if predicted.size * true.size <= MAX_TABLE:
        counts = np.bincount(pairs, minlength=predicted.size * true.size)
        pairs = np.flatnonzero(counts)
        counts = counts[pairs]
    else:
        pairs, counts = np.unique(pairs, return_counts=True)
    table = coo_array(
        (counts, np.divmod(pairs, true.size)), shape=(predicted.size, true.size)
    ).tocsr()
    return Overlap(
        predicted=predicted[1:],
        true=true[1:],
        predicted_voxels=table.sum(axis=1)[1:],
        true_voxels=table.sum(axis=0)[1:],
        shared=table[1:, 1:],
    )


def _compact(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ascending ids, 0 always first, and each label's index among them as int64."""
    highest = int(labels.max(initial=0))
    if highest > MAX_TABLE:
        ids, index = np.unique(np.append(labels, 0), return_inverse=True)
        return ids.astype(np.int64), index[:-1]
    present = np.zeros(highest + 1, dtype=bool)
    present[0] = True
    present[labels] = True
    return np.flatnonzero(present), (np.cumsum(present) - 1)[labels]
