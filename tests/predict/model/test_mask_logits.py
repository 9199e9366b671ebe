from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from predict.model import mask_logits as module
from predict.model.mask_decoder import LayerNorm3d
from predict.model.mask_logits import mask_logits


def inputs(prompts: int, images: int, channels: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(prompts, channels, 2, 3, 4, generator=generator)
    skip = torch.randn(images, channels, 8, 12, 16, generator=generator)
    return x, skip, torch.randn(prompts, channels, generator=generator)


def norm_of(channels: int) -> LayerNorm3d:
    norm = LayerNorm3d(channels)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    return norm


def plainly(x: Tensor, skip: Tensor, norm: LayerNorm3d, kernel: Tensor) -> Tensor:
    fine = F.interpolate(x, skip.shape[2:], mode="trilinear", align_corners=False)
    voxels = F.gelu(norm(fine) + skip)
    return torch.einsum("nczyx,nc->nzyx", voxels, kernel)


@pytest.mark.parametrize(("prompts", "images"), [(1, 1), (3, 1), (3, 3)])
@pytest.mark.parametrize("slab_bytes", [1, 3 * 4 * 6 * 12 * 16, module.SLAB_BYTES])
@torch.no_grad()
def test_slabs_equal_the_plain_form(
    prompts: int, images: int, slab_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLAB_BYTES", slab_bytes)
    x, skip, kernel = inputs(prompts, images)
    norm = norm_of(6)
    before = skip.clone()
    ours = mask_logits(x, skip, norm, kernel)
    torch.testing.assert_close(ours, plainly(x, skip, norm, kernel), atol=1e-5, rtol=1e-5)
    assert torch.equal(skip, before)


@pytest.mark.parametrize("shape", [(2, 3, 4), (5, 4, 4), (1, 7, 9)])
@torch.no_grad()
def test_any_grid(shape: tuple[int, int, int]) -> None:
    x, _, kernel = inputs(2, 1)
    skip, norm = torch.randn(1, 6, *shape), norm_of(6)
    ours = mask_logits(x, skip, norm, kernel)
    torch.testing.assert_close(ours, plainly(x, skip, norm, kernel), atol=1e-5, rtol=1e-5)


def test_gradients_are_those_of_the_plain_form() -> None:
    x, skip, kernel = (t.requires_grad_() for t in inputs(2, 1))
    norm = norm_of(6)
    wanted = torch.autograd.grad(
        plainly(x, skip, norm, kernel).square().sum(), (x, skip, kernel, norm.weight)
    )
    found = torch.autograd.grad(
        mask_logits(x, skip, norm, kernel).square().sum(), (x, skip, kernel, norm.weight)
    )
    for ours, expected in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-3, rtol=1e-4)
