from __future__ import annotations

import torch
from torch import nn

from predict.model.decomposed_conv import DecomposedConv3d, fold_batch_norms


def test_is_the_sum_of_three_one_dimensional_convolutions() -> None:
    conv = DecomposedConv3d(2, 3, 5, stride=2, norm=False)
    x = torch.randn(1, 2, 8, 10, 12)
    expected = sum(getattr(conv, name)[0](x) for name in ("c1", "c2", "c3"))
    torch.testing.assert_close(conv(x), expected)
    assert [tuple(getattr(conv, n)[0].kernel_size) for n in ("c1", "c2", "c3")] == [
        (5, 1, 1),
        (1, 5, 1),
        (1, 1, 5),
    ]


def test_reads_half_of_the_voxels_at_stride_two() -> None:
    conv = DecomposedConv3d(1, 1, 7, stride=2, norm=False)
    x = torch.randn(1, 1, 16, 16, 16, requires_grad=True)
    conv(x).sum().backward()
    assert x.grad is not None
    assert (x.grad != 0).float().mean() == 0.5


def test_folding_batch_norms_keeps_the_function() -> None:
    model = nn.Sequential(DecomposedConv3d(1, 4, 3), DecomposedConv3d(4, 4, 3, groups=4))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.normal_(module.running_mean)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 2)  # type: ignore[arg-type]
    model.eval()
    x = torch.randn(1, 1, 6, 6, 6)
    before = model(x)
    fold_batch_norms(model)
    torch.testing.assert_close(model(x), before, atol=1e-5, rtol=1e-5)
    assert not any(isinstance(m, nn.BatchNorm3d) for m in model.modules())


def test_folding_leaves_the_given_tensors_alone() -> None:
    conv = DecomposedConv3d(2, 2, 3).eval().requires_grad_(False)
    nn.init.constant_(conv.c1[1].running_var, 4)  # type: ignore[arg-type]
    weight = conv.c1[0].weight
    before = weight.clone()
    fold_batch_norms(conv)
    assert torch.equal(weight, before)
    torch.testing.assert_close(conv.c1[0].weight, before / 2, atol=1e-4, rtol=1e-4)
    assert not conv.c1[0].weight.requires_grad
