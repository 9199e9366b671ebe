from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from predict.errors import CaseError
from predict.free_memory import FreeMemory
from predict.memory import (
    FIRST_USE,
    MIB,
    MOST_PROMPTS,
    CaseSize,
    MemoryPlan,
    cpu_batch,
    decode_bytes,
    gpu_batch,
    plan_memory,
)
from predict.model.config import ModelConfig

OFFICIAL = ModelConfig()
LARGE = CaseSize(shape=(600, 1024, 1024), dtype=np.dtype(np.uint8), prompts=30)
SMALL = CaseSize(shape=(10, 20, 30), dtype=np.dtype(np.uint8), prompts=30)
GB = 10**9


def plan(size: CaseSize, free: int, **more: object) -> MemoryPlan:
    there = FreeMemory(free, "the test")
    return plan_memory(size, OFFICIAL, free=there, held=350 * MIB, **more)  # type: ignore[arg-type]


def test_the_largest_case_fits_into_8_gb() -> None:
    found = plan(LARGE, 8 * GB - 350 * MIB)
    voxels = 600 * 1024**2
    assert found.peak == found.held + found.needed
    assert 2 * voxels < found.needed < 2 * voxels + 700 * MIB
    assert found.batch_size == 3
    assert set(found.stages) == {"read", "resize", "encode", "decode", "labels", "write"}


def test_less_memory_means_smaller_batches_until_it_is_refused() -> None:
    sizes = []
    free = 2 * GB
    while True:
        try:
            found = plan(SMALL, free)
        except CaseError:
            break
        assert found.needed <= free
        sizes.append(found.batch_size)
        free = int(free * 0.97)
    assert sizes == sorted(sizes, reverse=True)
    assert {3, 2} <= set(sizes)
    assert free < FIRST_USE + 9 * decode_bytes(OFFICIAL)


def test_a_refusal_says_what_is_needed_and_what_is_there() -> None:
    with pytest.raises(CaseError) as caught:
        plan(LARGE, 1 * GB)
    assert str(caught.value) == (
        "shape (600, 1024, 1024) of uint8 needs 1.5 GB of memory, "
        "1.0 GB are free (limited by the test)"
    )
    assert caught.value.shape == LARGE.shape
    with pytest.raises(CaseError) as caught:
        plan(replace(LARGE, shape=(6000, 10240, 10240)), 1 * GB)
    assert caught.value.shape is None


@pytest.mark.parametrize(
    ("dtype", "bytes_per_voxel"),
    [("u1", 1), ("?", 3), ("<i2", 6), (">i2", 4 + 2), ("<f4", 8), ("<f8", 12), (">f8", 16)],
)
def test_reading_needs_what_it_is_stored_as_and_what_becomes_of_it(
    dtype: str, bytes_per_voxel: int
) -> None:
    size = replace(LARGE, dtype=np.dtype(dtype))
    assert plan(size, 100 * GB).stages["read"] == bytes_per_voxel * size.voxels


def test_objects_need_more_than_classes() -> None:
    nuclei = replace(LARGE, prompts=1, instance=True)
    assert plan(nuclei, 100 * GB).needed > plan(LARGE, 100 * GB).needed + 7 * LARGE.voxels


def test_a_network_elsewhere_takes_nothing_here() -> None:
    here, there = plan(SMALL, GB), plan(SMALL, GB, network_elsewhere=True)
    assert there.stages["encode"] < here.stages["encode"] - 4 * decode_bytes(OFFICIAL) / 3.1


def test_batches_follow_from_what_is_free() -> None:
    assert cpu_batch(OFFICIAL, 100 * GB) == 3
    assert cpu_batch(OFFICIAL, 4 * decode_bytes(OFFICIAL)) == 2
    assert cpu_batch(OFFICIAL, 0) == gpu_batch(OFFICIAL, 0) == 1
    assert gpu_batch(OFFICIAL, 80 * GB) == MOST_PROMPTS
    assert gpu_batch(OFFICIAL, 8 * 5 * decode_bytes(OFFICIAL)) == 5
    assert plan(SMALL, GB, batch_size=7).batch_size == 7
