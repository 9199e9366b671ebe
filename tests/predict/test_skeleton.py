from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from predict.skeleton import skeleton

ROOT = Path(__file__).resolve().parents[2]


def test_parameters_are_on_the_meta_device() -> None:
    with skeleton():
        layers = nn.Sequential(nn.Embedding(5, 3, padding_idx=0), nn.Linear(3, 2), nn.LayerNorm(2))
    assert {parameter.device.type for parameter in layers.parameters()} == {"meta"}
    assert [tuple(p.shape) for p in layers.parameters()] == [(5, 3), (2, 3), (2,), (2,), (2,)]


def test_initialisation_works_again_outside() -> None:
    with skeleton():
        nn.Linear(3, 2)
    assert torch.equal(nn.LayerNorm(4).weight, torch.ones(4))


def test_a_run_loads_neither_the_compiler_of_torch_nor_libraries_of_other_formats(
    write_npz: Callable[..., Path], tiny_bundle: Path, tmp_path: Path
) -> None:
    """It would double the time from start to the first byte of work."""
    code = (
        "import sys; from predict.cli import main; "
        f"status = main(['run', {str(write_npz().parent)!r}, {str(tmp_path / 'out')!r}, "
        f"'--bundle', {str(tiny_bundle)!r}]); "
        "heavy = {'sympy', 'triton', 'transformers', 'torch._dynamo', 'torch._inductor'}; "
        "heavy |= {'SimpleITK', 'nibabel', 'pydicom', 'PIL'}; "
        "sys.exit(status or ', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
