from __future__ import annotations

import pytest
import torch

from predict.exhaustion import copy_to_cpu, is_exhaustion
from predict.model.text3dsam import Text3DSAM


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("shapes do not match"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_signs(error: Exception, expected: bool) -> None:
    assert is_exhaustion(error) is expected


def test_the_cpu_s_own_allocator_is_understood() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_exhaustion(caught.value)


def test_a_copy_computes_the_same_and_shares_nothing(tiny_model: Text3DSAM) -> None:
    with torch.inference_mode():
        copied = copy_to_cpu(tiny_model)
        volume = torch.rand(1, 1, *tiny_model.config.image_size)
        torch.testing.assert_close(copied.encode_image(volume), tiny_model.encode_image(volume))
    pointers = {p.data_ptr() for p in tiny_model.parameters()}
    assert not pointers & {p.data_ptr() for p in copied.parameters()}
    assert not copied.training
