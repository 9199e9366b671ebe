"""Settings of one training run, every field documented."""

from __future__ import annotations

from dataclasses import dataclass, field

from predict.model.config import (
    ImageEncoderConfig,
    MaskDecoderConfig,
    ModelConfig,
    PromptEncoderConfig,
    TextEncoderConfig,
)


def half_width_model(vocab_size: int) -> ModelConfig:
    """The default bundle's network: half the published widths, logits at half the input grid.

    A stem stride of 2 on a 64x96x96 input reads half of the voxels (15.6 % at stride 4) and
    answers on 32x48x48, near the native grid of most volumes it is trained on.
    """
    return ModelConfig(
        image_size=(64, 96, 96),
        image_encoder=ImageEncoderConfig(
            channels=(24, 48, 96, 192, 384),
            stem_stride=2,
            kernels=(7, 7, 5),
            layer_scale=0.1,
        ),
        text_encoder=TextEncoderConfig(vocab_size=vocab_size),
        prompt_encoder=PromptEncoderConfig(mask_channels=(48, 96, 192, 384)),
        mask_decoder=MaskDecoderConfig(mlp_dim=1024),
    )


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """Which views of which volumes the network sees.

    Attributes:
        images_per_step: Volumes in one optimiser step.
        prompts_per_image: Most prompts asked of one volume; the encoder runs once for all.
        dataset_power: A data set of n cases is drawn with probability proportional to n ** power.
        full_view: Probability of the whole volume, as in prediction, instead of a random view.
        zoom: Range of a random view's extent relative to the volume.
        rotation: Standard deviation of the in-plane rotation in degrees; small, since the prompts
            speak of left and right. There are no flips for the same reason.
        absent_prompt: Probability of one more prompt whose target is not in the volume.
    """

    images_per_step: int = 3
    prompts_per_image: int = 3
    dataset_power: float = 0.6
    full_view: float = 0.35
    zoom: tuple[float, float] = (0.55, 1.0)
    rotation: float = 8.0
    absent_prompt: float = 0.1


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Part of a run: a cheap grid and the coarse pass first, the real ones later.

    Attributes:
        until: Share of the run at which the phase ends.
        image_size: Network input (D, H, W); positions are relative, so weights carry over.
        pass_weights: Weight of the loss on each pass, coarse first; as many passes are run.
    """

    until: float
    image_size: tuple[int, int, int]
    pass_weights: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One run.

    Attributes:
        minutes: Wall time of all steps on images, resumed parts included; the schedule follows it.
        learning_rate: Peak of AdamW's rate; linear warm-up, then cosine to zero.
        warmup_minutes: Length of the warm-up.
        weight_decay: Of AdamW, on matrices only.
        text_steps: Steps of contrastive training on phrasings before the first image.
        text_rate: Factor of the learning rate for text encoder and projector, which would
            otherwise forget what those steps taught them.
        focal_weight: Factor of the focal term beside the Dice term.
        phases: Parts of the run, in order.
        freeze_norm_at: Share of the run after which BatchNorm uses its running statistics, so that
            the weights adapt to what prediction will use.
        ema_decay: Of the averaged weights that are exported.
        checkpoint_minutes: Time between checkpoints.
        seed: Of every random number in the run.
        sampling: See SamplingConfig.
    """

    minutes: float = 52.0
    learning_rate: float = 4e-4
    warmup_minutes: float = 1.5
    weight_decay: float = 0.01
    text_steps: int = 300
    text_rate: float = 0.1
    focal_weight: float = 4.0
    phases: tuple[Phase, ...] = (
        Phase(until=0.3, image_size=(64, 64, 64), pass_weights=(1.0,)),
        Phase(until=0.5, image_size=(64, 64, 64), pass_weights=(0.5, 0.5, 1.0)),
        Phase(until=1.0, image_size=(64, 96, 96), pass_weights=(0.5, 0.5, 1.0)),
    )
    freeze_norm_at: float = 0.65
    ema_decay: float = 0.996
    checkpoint_minutes: float = 5.0
    seed: int = 0
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
