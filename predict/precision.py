"""Self-check of BF16 convolutions: some cuDNN versions are silently wrong on large inputs."""

from __future__ import annotations

import torch

from predict.model.text3dsam import Text3DSAM

LARGEST_ERROR = 0.05


@torch.inference_mode()
def bfloat16_error(model: Text3DSAM, device: torch.device) -> float:
    """How far the first convolutions in BF16 are from float32, at the network's input size.

    Args:
        model: Network on the device.
        device: Where to compute.

    Returns:
        Root mean square of the difference over that of the float32 result; rounding alone gives
        less than 0.02, a wrong kernel about 1 or NaN.
    """
    generator = torch.Generator().manual_seed(0)
    volume = 255 * torch.rand((1, 1, *model.config.image_size), generator=generator).to(device)
    stem = model.image_encoder.encoder.s0
    exact = stem(volume)
    with torch.autocast(device.type, torch.bfloat16):
        rounded = stem(volume)
    exact = exact - exact.mean()
    rounded = rounded.float() - rounded.float().mean()
    return float((rounded - exact).square().mean().sqrt() / exact.square().mean().sqrt())


def choose_precision(model: Text3DSAM, device: torch.device) -> torch.dtype:
    """BF16 on CUDA where the self-check passes, else float32."""
    if device.type == "cuda" and bfloat16_error(model, device) <= LARGEST_ERROR:
        return torch.bfloat16
    return torch.float32
