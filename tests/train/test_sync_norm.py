from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from train.sync_norm import SyncBatchNorm3d, synchronise_norms

PARTS = (1, 3)  # volumes that each process holds
SHAPE = (sum(PARTS), 5, 3, 4, 2)


def _volumes() -> torch.Tensor:
    """Far from zero mean, as intensities of 0..255 are."""
    return 200 + 3 * torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))


def _norm() -> nn.BatchNorm3d:
    norm = nn.BatchNorm3d(SHAPE[1])
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(0.5, 2, SHAPE[1]))
        norm.bias.copy_(torch.linspace(-1, 1, SHAPE[1]))
    return norm


def _run(norm: nn.Module, volumes: torch.Tensor) -> dict[str, torch.Tensor]:
    """Output, gradients and statistics of a step whose gradient differs in every voxel."""
    volumes = volumes.clone().requires_grad_()
    out = norm(volumes)
    (out.sin() + out.square()).sum().backward()
    assert volumes.grad is not None
    return {
        "out": out.detach(),
        "input_gradient": volumes.grad,
        "weight_gradient": norm.weight.grad,
        "bias_gradient": norm.bias.grad,
        "mean": norm.running_mean,
        "variance": norm.running_var,
    }  # type: ignore[dict-item]


def _process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=len(PARTS)
    )
    model = nn.Sequential(_norm())
    synchronise_norms(model)
    assert type(model[0]) is SyncBatchNorm3d
    result = _run(model[0], _volumes().split(PARTS)[rank])
    model.eval()
    result["eval"] = model(_volumes()).detach()
    torch.save(result, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, torch.Tensor]]:
    """What each of two processes got for its part."""
    folder = tmp_path_factory.mktemp("processes")
    mp.spawn(_process, (str(folder),), nprocs=len(PARTS))  # type: ignore[no-untyped-call]
    return [torch.load(Path(folder) / f"{rank}.pt") for rank in range(len(PARTS))]


@pytest.fixture(scope="module")
def expected() -> dict[str, torch.Tensor]:
    """What torch's BatchNorm makes of all volumes together."""
    norm = _norm()
    result = _run(norm, _volumes())
    result["eval"] = norm.eval()(_volumes()).detach()
    return result


@pytest.mark.parametrize("key", ["out", "input_gradient"])
def test_parts_together_are_the_whole(
    results: list[dict[str, torch.Tensor]], expected: dict[str, torch.Tensor], key: str
) -> None:
    together = torch.cat([result[key] for result in results])
    torch.testing.assert_close(together, expected[key], atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("key", ["weight_gradient", "bias_gradient"])
def test_gradients_of_the_weights_add_up(
    results: list[dict[str, torch.Tensor]], expected: dict[str, torch.Tensor], key: str
) -> None:
    total = sum(result[key] for result in results)
    torch.testing.assert_close(total, expected[key], atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("key", ["mean", "variance", "eval"])
def test_statistics_are_the_same_everywhere(
    results: list[dict[str, torch.Tensor]], expected: dict[str, torch.Tensor], key: str
) -> None:
    for result in results:
        torch.testing.assert_close(result[key], expected[key], atol=1e-4, rtol=1e-5)


def test_one_process_keeps_its_norms() -> None:
    model = nn.Sequential(_norm())
    synchronise_norms(model)
    assert type(model[0]) is nn.BatchNorm3d
