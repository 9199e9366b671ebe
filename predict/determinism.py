"""The same bytes for the same settings.

On one machine, with the same threads, batch size, device and versions, masks are byte-identical;
on CUDA only after :func:`make_deterministic`. Other thread counts and batch sizes order the sums in
convolutions and linear layers differently, which moves logits by about 1e-5 and so only voxels that
lie as close to an edge: see docs/reproducibility.md.
"""

from __future__ import annotations

import os

import torch

BATCH_SIZE = 8  # whatever memory is free
CUBLAS_WORKSPACE = ":4096:8"


def make_deterministic() -> None:
    """Only kernels that give the same bits in every run, for the rest of the process.

    Call it before anything is computed on a GPU: cuBLAS reads its setting once. float32 stays
    float32 (no TF32). An operator without a deterministic kernel raises RuntimeError when it is
    called.
    """
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = CUBLAS_WORKSPACE
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
    torch.backends.cuda.matmul.fp32_precision = "ieee"
