from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from predict.errors import BundleError
from predict.model.config import ModelConfig
from predict.model.image_encoder import ImageEncoder
from predict.model.pixel_decoder import PatchStem, PixelDecoder
from predict.model.text3dsam import PassOutput, Text3DSAM


@pytest.fixture
def extended(tiny_config: ModelConfig) -> ModelConfig:
    return replace(
        tiny_config,
        image_encoder=replace(tiny_config.image_encoder, stem="patch"),
        mask_decoder=replace(tiny_config.mask_decoder, pixel_decoder_depth=1, presence=True),
    )


def share_of_voxels_read(config: ModelConfig) -> float:
    """Voxels on which some value of the stem's output depends."""
    torch.manual_seed(0)
    encoder = ImageEncoder(config.image_encoder).train()
    image = torch.rand(1, 1, *config.image_size, requires_grad=True)
    encoder.encoder.s0(image).square().sum().backward()
    assert image.grad is not None
    return (image.grad != 0).float().mean().item()


def test_the_patch_stem_reads_every_voxel_and_the_papers_does_not(extended: ModelConfig) -> None:
    assert share_of_voxels_read(extended) == 1.0
    paper = replace(ModelConfig(), image_size=(64, 64, 64))
    assert share_of_voxels_read(paper) == pytest.approx(0.156, abs=0.02)


def test_a_patch_is_told_from_its_neighbours() -> None:
    torch.manual_seed(0)
    stem = PatchStem(8, stride=2).eval()
    image = torch.full((1, 1, 8, 8, 8), 100.0)
    changed = image.clone()
    changed[0, 0, 3, 5, 6] += 50
    difference = (stem.conv(_patches(changed)) - stem.conv(_patches(image))).abs().sum(1)[0]
    assert {tuple(i) for i in difference.nonzero().tolist()} == {
        (z, y, x) for z in (0, 1, 2) for y in (1, 2, 3) for x in (2, 3)
    }


def _patches(image: torch.Tensor) -> torch.Tensor:
    """2x2x2 patches as channels, the plain way."""
    parts = [image[..., z::2, y::2, x::2] for z in (0, 1) for y in (0, 1) for x in (0, 1)]
    return torch.cat(parts, dim=1)


def test_the_stem_cuts_patches_in_order() -> None:
    torch.manual_seed(0)
    stem = PatchStem(8, stride=2).eval()
    image = torch.rand(2, 1, 4, 6, 8) * 255
    expected = F.gelu(stem.norm(stem.conv(_patches(2 * image / 255 - 1))))
    torch.testing.assert_close(stem(image), stem.block(expected))


def test_the_pixel_decoder_keeps_every_maps_shape_and_the_deepest_map() -> None:
    torch.manual_seed(0)
    channels, sizes = (8, 16, 24), ((8, 12, 8), (4, 6, 4), (2, 3, 2))
    maps = [torch.randn(2, c, *size) for c, size in zip(channels, sizes, strict=True)]
    decoded = PixelDecoder(channels, depth=1)(maps)
    assert [tuple(x.shape) for x in decoded] == [tuple(x.shape) for x in maps]
    assert decoded[2] is maps[2]
    deeper = PixelDecoder(channels, depth=1)([*maps[:2], maps[2] + 1])[0]
    assert not torch.equal(deeper, decoded[0])


def test_the_whole_network_with_both_answers_on_the_same_grid(extended: ModelConfig) -> None:
    model = Text3DSAM(extended).eval()
    text = torch.randn(3, extended.embed_dim)
    with torch.no_grad():
        passes = model.decode(model.encode_image(torch.rand(1, 1, 32, 64, 32) * 255), text)
        presence = model.presence(text, passes[0])
    assert passes[-1].logits.shape == (3, 1, *extended.logit_size)
    assert presence is not None
    assert presence.shape == (3,)


def test_without_its_head_presence_is_not_told(tiny_model: Text3DSAM) -> None:
    text = torch.zeros(2, tiny_model.config.embed_dim)
    seen = PassOutput(torch.zeros(2, 1, 2, 2, 2), text[:, None])
    assert tiny_model.presence(text, seen) is None


def test_an_unknown_stem_is_refused(tiny_config: ModelConfig) -> None:
    with pytest.raises(BundleError, match=r"image_encoder\.stem: expected .* received 'conv'"):
        replace(tiny_config, image_encoder=replace(tiny_config.image_encoder, stem="conv"))
