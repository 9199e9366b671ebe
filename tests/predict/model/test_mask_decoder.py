from __future__ import annotations

import torch
import torch.nn.functional as F

from predict.model.mask_decoder import LayerNorm3d
from predict.model.text3dsam import Text3DSAM


def test_layer_norm_is_over_channels() -> None:
    norm = LayerNorm3d(6)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x = torch.randn(2, 6, 3, 4, 5)
    mean, variance = x.mean(1, keepdim=True), x.var(1, keepdim=True, correction=0)
    expected = (x - mean) / (variance + 1e-6).sqrt()
    expected = expected * norm.weight.view(-1, 1, 1, 1) + norm.bias.view(-1, 1, 1, 1)
    torch.testing.assert_close(norm(x), expected)


def test_upscaling_equals_the_published_order_of_operations(tiny_model: Text3DSAM) -> None:
    """Upsample first, convolve second, as in the paper's Fig. 4; ours does it the other way."""
    decoder = tiny_model.seg_decoder.mask_decoder
    up = decoder.output_upscaling
    image = torch.randn(2, 24, 1, 2, 1)
    features = tiny_model.encode_image(torch.rand(1, 1, 32, 64, 32) * 255)

    def resize(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        return F.interpolate(x, like.shape[2:], mode="trilinear", align_corners=False)

    with torch.no_grad():
        x = up["1"](resize(image, features.skip_mid)) + features.skip_mid
        x = up["5"](resize(F.gelu(up["2"](x)), features.skip_fine))
        kernel = torch.randn(2, x.shape[1])
        voxels = F.gelu(up["6"](x) + features.skip_fine)
        expected = torch.einsum("nczyx,nc->nzyx", voxels, kernel)
        ours = decoder._logits(image, features, kernel)
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)


def test_selecting_features_repeats_images_per_prompt(tiny_model: Text3DSAM) -> None:
    features = tiny_model.encode_image(torch.rand(2, 1, 32, 64, 32) * 255)
    chosen = features.select(torch.tensor([1, 1, 0]))
    torch.testing.assert_close(chosen.embedding[0], features.embedding[1])
    torch.testing.assert_close(chosen.skip_fine[2], features.skip_fine[0])
    assert chosen.positions is features.positions
