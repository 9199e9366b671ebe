"""How large a case of the challenge is, told by its headers: nothing of the image is unpacked."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from predict.archive import DAMAGE, open_archive, packed_member, read_header, read_object
from predict.cases import parse_prompts
from predict.errors import CaseError
from predict.free_memory import free_memory, held_memory
from predict.memory import CaseSize, MemoryPlan, plan_memory
from predict.model.config import ModelConfig


def read_case_size(path: Path) -> CaseSize | None:
    """Size of NAME.npz; None where the file is not a usable case, which reading it will say."""
    try:
        if path.is_symlink() or not path.is_file():
            return None
        with open_archive(path) as archive:
            shape, dtype = read_header(archive, "imgs", sys.maxsize)
            parsed = parse_prompts(read_object(archive, packed_member(archive, "text_prompts")))
    except (CaseError, MemoryError, *DAMAGE):
        return None
    if len(shape) != 3 or 0 in shape or dtype.kind not in "biuf":
        return None
    count = 1 if parsed.instance else len(parsed.prompts)
    return CaseSize(
        shape=(shape[0], shape[1], shape[2]),
        dtype=np.dtype(dtype),
        prompts=count,
        instance=parsed.instance,
    )


def plan_case(
    path: Path, config: ModelConfig, *, batch_size: int | None = None, on_gpu: bool = False
) -> MemoryPlan | None:
    """Plan a case from its headers and the memory that is free now; None: reading will fail.

    Raises:
        CaseError: It cannot fit; says what is needed and what is there.
    """
    size = read_case_size(path)
    if size is None:
        return None
    try:
        return plan_memory(
            size,
            config,
            free=free_memory(),
            held=held_memory(),
            batch_size=batch_size,
            network_elsewhere=on_gpu,
        )
    except CaseError as error:
        reason = f"{path.name}: {error}"
        raise CaseError(reason, shape=error.shape) from MemoryError(reason)
