"""Sizes of the network: every width, depth, kernel, head count and input size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from predict.errors import BundleError

Section = TypeVar("Section")
STEMS = ("decomposed", "patch")


@dataclass(frozen=True, kw_only=True)
class ImageEncoderConfig:
    """DCFormer stages s0 to s4 (paper Sec. 2.1, Fig. 2).

    Attributes:
        stem: ``decomposed``, the paper's, or ``patch``, ours, which reads every voxel.
    """

    stem: str = "decomposed"
    channels: tuple[int, ...] = (48, 96, 192, 384, 768)
    stem_kernels: tuple[int, ...] = (7, 3, 3, 3)
    stem_stride: int = 4
    depths: tuple[int, ...] = (2, 3, 6, 2)
    kernels: tuple[int, ...] = (13, 11, 9)
    position_kernel: int = 3
    num_heads: int = 8
    mlp_ratio: int = 4
    layer_scale: float = 1e-6

    @property
    def patch_size(self) -> int:
        """Voxels of the input that one token of the last stage stands for, per axis."""
        return int(self.stem_stride * 2 ** len(self.depths))


@dataclass(frozen=True, kw_only=True)
class TextEncoderConfig:
    """TinyClinicalBERT (a 4-layer, 312-wide BERT)."""

    vocab_size: int = 28996
    hidden_size: int = 312
    num_hidden_layers: int = 4
    num_attention_heads: int = 12
    intermediate_size: int = 1200
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    dropout: float = 0.1


@dataclass(frozen=True, kw_only=True)
class PromptEncoderConfig:
    """Mask encoder of the refinement passes (paper Sec. 2.2, Fig. 3)."""

    mask_channels: tuple[int, ...] = (96, 192, 384, 768)
    mask_kernels: tuple[int, ...] = (7, 5, 3, 3)
    mask_strides: tuple[int, ...] = (4, 2, 2, 1)


@dataclass(frozen=True, kw_only=True)
class MaskDecoderConfig:
    """Two-way transformer and mask heads (paper Sec. 2.3, Fig. 4).

    Attributes:
        pixel_decoder_depth: Residual blocks per level of our pixel decoder; 0 (the paper): none.
        presence: Whether a head of ours says if a prompt's target is there at all.
    """

    depth: int = 2
    num_heads: int = 8
    mlp_dim: int = 2048
    num_mask_tokens: int = 4
    attention_downsample: int = 2
    pixel_decoder_depth: int = 0
    presence: bool = False


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The whole network; the defaults are the published, official configuration.

    Attributes:
        image_size: Network input (D, H, W) in voxels, multiples of the encoder's patch size.
        refinements: Passes after the coarse one (``pass_num`` in the published code).
    """

    image_size: tuple[int, int, int] = (128, 256, 256)
    refinements: int = 2
    image_encoder: ImageEncoderConfig = field(default_factory=ImageEncoderConfig)
    text_encoder: TextEncoderConfig = field(default_factory=TextEncoderConfig)
    prompt_encoder: PromptEncoderConfig = field(default_factory=PromptEncoderConfig)
    mask_decoder: MaskDecoderConfig = field(default_factory=MaskDecoderConfig)

    def __post_init__(self) -> None:
        encoder = self.image_encoder
        if len(encoder.depths) != 4 or len(encoder.channels) != 5 or len(encoder.kernels) != 3:
            raise BundleError(
                "image_encoder: expected 5 channels, 4 depths and 3 kernels, received "
                f"{len(encoder.channels)}, {len(encoder.depths)} and {len(encoder.kernels)}"
            )
        if encoder.stem not in STEMS:
            raise BundleError(f"image_encoder.stem: expected {STEMS}, received {encoder.stem!r}")
        patch = encoder.patch_size
        if len(self.image_size) != 3 or any(n < patch or n % patch for n in self.image_size):
            raise BundleError(
                f"image_size: expected three multiples of {patch}, received {self.image_size}"
            )
        if self.prompt_encoder.mask_channels[-1] != self.embed_dim:
            raise BundleError(
                f"prompt_encoder.mask_channels: expected to end with {self.embed_dim}, "
                f"received {self.prompt_encoder.mask_channels}"
            )
        if self.refinements < 0:
            raise BundleError(f"refinements: expected 0 or more, received {self.refinements}")

    @property
    def embed_dim(self) -> int:
        """Width of image tokens, text embedding and mask tokens."""
        return self.image_encoder.channels[-1]

    @property
    def logit_size(self) -> tuple[int, int, int]:
        """Grid (d, h, w) of the mask logits: the input size over the stem's stride."""
        d, h, w = (n // self.image_encoder.stem_stride for n in self.image_size)
        return d, h, w

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelConfig:
        """Read what :meth:`to_dict` wrote.

        Raises:
            BundleError: An unknown field, or sizes that do not fit together.
        """
        sections = {
            "image_encoder": ImageEncoderConfig,
            "text_encoder": TextEncoderConfig,
            "prompt_encoder": PromptEncoderConfig,
            "mask_decoder": MaskDecoderConfig,
        }
        plain = {
            key: _section(sections[key], key, value) if key in sections else value
            for key, value in values.items()
        }
        return _section(cls, "model", plain)


def _section(kind: type[Section], name: str, values: Any) -> Section:
    if not isinstance(values, Mapping):
        raise BundleError(f"config {name}: expected a table, received {type(values).__name__}")
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise BundleError(f"config {name}: unknown field(s) {', '.join(unknown)}")
    lists_as_tuples = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    try:
        return kind(**lists_as_tuples)
    except TypeError as error:
        raise BundleError(f"config {name}: {error}") from error
