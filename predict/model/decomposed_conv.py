"""Decomposed 3D convolution: three 1-D convolutions in parallel, summed (DCFormer)."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


class DecomposedConv3d(nn.Module):
    """Sum of (k,1,1), (1,k,1) and (1,1,k) convolutions, each with its own bias and BatchNorm.

    The stride applies to all three axes in every branch. Paper Sec. 2.1, Fig. 2.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        norm: bool = True,
    ) -> None:
        super().__init__()

        def branch(axis: int) -> nn.Sequential:
            size, padding = [1, 1, 1], [0, 0, 0]
            size[axis], padding[axis] = kernel, kernel // 2
            conv = nn.Conv3d(
                in_channels,
                out_channels,
                (size[0], size[1], size[2]),
                stride=stride,
                padding=(padding[0], padding[1], padding[2]),
                groups=groups,
            )
            return (
                nn.Sequential(conv, nn.BatchNorm3d(out_channels)) if norm else nn.Sequential(conv)
            )

        self.c1, self.c2, self.c3 = branch(0), branch(1), branch(2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, D, H, W) -> (N, out, D', H', W') with D' = ceil(D / stride) and so on."""
        return self.c1(x) + self.c2(x) + self.c3(x)  # type: ignore[no-any-return]


def fold_batch_norms(model: nn.Module) -> None:
    """Merge the BatchNorm of every branch into its convolution, in place; for inference only.

    The convolutions get new tensors: what their old ones shared memory with stays as it is.
    """
    for module in model.modules():
        if isinstance(module, DecomposedConv3d):
            for branch in (module.c1, module.c2, module.c3):
                if len(branch) == 2:
                    _fold(cast(nn.Conv3d, branch[0]), cast(nn.BatchNorm3d, branch[1]))
                    del branch[1]


def _fold(conv: nn.Conv3d, norm: nn.BatchNorm3d) -> None:
    statistics = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, *statistics, norm.eps, norm.weight, norm.bias
    )
