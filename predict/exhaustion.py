"""Out of memory: how it is recognised, and a copy of a network where there may be more."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

Model = TypeVar("Model", bound=nn.Module)
# The CPU's allocator, oneDNN, cuBLAS and cuDNN have no exception of their own.
SIGNS = ("allocate memory", "bad_alloc", "out of memory", "ALLOC_FAILED", "a memory object")


def is_exhaustion(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on the CPU or a GPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS)


def copy_to_cpu(model: Model) -> Model:
    """A copy in the CPU's memory; not a byte more is taken where the model is."""
    tensors = (*model.parameters(), *model.buffers())
    there: dict[int, object] = {}
    for tensor in tensors:
        data = tensor.detach().to("cpu", copy=True)
        is_parameter = isinstance(tensor, nn.Parameter)
        there[id(tensor)] = nn.Parameter(data, requires_grad=False) if is_parameter else data
    return copy.deepcopy(model, there)
