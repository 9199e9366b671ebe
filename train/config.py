"""Settings of one training run, every field documented.

Files in ``train/configs`` hold values for these fields (``train.config_file`` reads them); what a
file does not name keeps the default given here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from predict.errors import UsageError
from predict.model.config import ModelConfig

Size = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class LengthConfig:
    """How long a run is: exactly one of the three.

    Attributes:
        steps: Optimiser steps.
        epochs: Passes over the corpus, counted in pairs of a case and one of its classes.
        minutes: Wall time of the steps, resumed parts included; the schedule follows the clock.
    """

    steps: int | None = None
    epochs: float | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        given = {k: v for k, v in vars(self).items() if v is not None}
        if len(given) != 1 or min(given.values()) <= 0:
            raise UsageError(f"length: expected one of steps, epochs, minutes, received {given}")


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """Which cases and prompts the network sees.

    Attributes:
        images_per_step: Volumes in one optimiser step, over all processes and accumulated parts.
        prompts_per_image: Most prompts asked of one volume; the encoder runs once for all.
        dataset_power: A data set of n cases is drawn with probability proportional to n ** power;
            1 draws every case alike.
        absent_prompt: Probability of one more prompt whose target is not in the volume.
        synthetic_volumes: Synthetic volumes of every kind of ``examples`` that are mixed in.
        phantoms: Spinal cord phantoms of either labelling that are mixed in.
        implants: Cases with an implanted tumour that are mixed in, per data set that has tumours of
            known parts; not with packs.
        dataset_factors: Data set -> factor of its probability; those not named have 1.
        workers: Processes that prepare samples; they change nothing but the speed.
    """

    images_per_step: int = 16
    prompts_per_image: int = 4
    dataset_power: float = 1.0
    absent_prompt: float = 0.1
    synthetic_volumes: int = 0
    phantoms: int = 0
    implants: int = 0
    dataset_factors: dict[str, float] = field(default_factory=dict)
    workers: int = 8

    def __post_init__(self) -> None:
        _at_least("sampling", 1, images_per_step=self.images_per_step)
        _at_least("sampling", 1, prompts_per_image=self.prompts_per_image)
        _at_least("sampling", 0, workers=self.workers, synthetic_volumes=self.synthetic_volumes)
        _at_least("sampling", 0, dataset_power=self.dataset_power)
        _at_least("sampling", 0, phantoms=self.phantoms, implants=self.implants)
        _at_least("sampling.dataset_factors", 0, **self.dataset_factors)
        _share("sampling", absent_prompt=self.absent_prompt)


@dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
    """How a volume is varied; there are no flips, since prompts speak of left and right.

    Attributes:
        full_view: Probability of the whole volume, as in prediction, instead of a random view.
        zoom: Range of a random view's extent relative to the volume.
        rotation: Standard deviation of a random view's in-plane rotation in degrees.
        quarter_turn: Probability of an in-plane turn by 90, 180 or 270 degrees; a sample of which
            any prompt or class name has a side word is never turned.
        scale: Intensities are multiplied by 1 +- this.
        shift: Grey levels (of 0..255) by which intensities are moved up or down at most.
        gamma: Probability of a gamma curve with an exponent of 0.75 to 1.35.
        noise: Probability of Gaussian noise with a standard deviation of 2 to 12 grey levels.
    """

    full_view: float = 0.35
    zoom: tuple[float, float] = (0.55, 1.0)
    rotation: float = 8.0
    quarter_turn: float = 0.0
    scale: float = 0.15
    shift: float = 15.0
    gamma: float = 0.3
    noise: float = 0.25

    def __post_init__(self) -> None:
        if not 0 < self.zoom[0] <= self.zoom[1] <= 1:
            raise UsageError(f"augmentation.zoom: expected 0 < low <= high <= 1, got {self.zoom}")
        _share("augmentation", full_view=self.full_view, quarter_turn=self.quarter_turn)
        _share("augmentation", gamma=self.gamma, noise=self.noise, scale=self.scale)
        _at_least("augmentation", 0, rotation=self.rotation, shift=self.shift)


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Dice plus focal loss.

    Attributes:
        focal: ``published``: both parts of the focal term, no alpha (what the published code
            trains with); ``paper``: Eq. 2 as written, the positive part times alpha.
        alpha: Balancing factor of the paper's formula.
        focal_weight: Factor of the focal term beside the Dice term.
        presence_weight: Factor of the binary cross-entropy of presence, for a network with that
            head.
        absent_smoothing: Voxels of the logits' grid that smooth the Dice term where the target is
            absent: about so many false ones cost one half. The published 1e-5 gives no gradient.
        grid: Where masks are compared: ``logits``, the grid of the answers, with the share of every
            cell that is target; ``image``, the input grid, to which answers are upsampled (as
            published).
    """

    focal: Literal["published", "paper"] = "published"
    alpha: float = 0.25
    focal_weight: float = 1.0
    presence_weight: float = 0.0
    absent_smoothing: float = 1e-5
    grid: Literal["logits", "image"] = "logits"


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """AdamW and its schedule.

    Attributes:
        learning_rate: Peak; linear warm-up, then cosine to zero.
        warmup: Share of the run that is warm-up.
        weight_decay: Of AdamW.
        decay_vectors: Whether norms and biases decay too, or matrices and convolutions only.
        clip: Largest norm of the gradient. DeepSpeed clips by its own configuration.
        accumulation: Parts that a step is worked off in; BatchNorm sees one part at a time.
    """

    learning_rate: float = 1e-4
    warmup: float = 0.03
    weight_decay: float = 1e-5
    decay_vectors: bool = False
    clip: float = 1.0
    accumulation: int = 1

    def __post_init__(self) -> None:
        _at_least("optimizer", 1, accumulation=self.accumulation)
        _at_least("optimizer", 0, weight_decay=self.weight_decay, clip=self.clip)
        _at_least("optimizer", 0, learning_rate=self.learning_rate)
        _share("optimizer", warmup=self.warmup)


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """The text side.

    Attributes:
        pretrained: Folder of a BERT as transformers saves it (config, weights, tokenizer); its
            sizes and tokenizer replace the network's. Random weights and a vocabulary of our own
            if not given.
        mode: ``own_rate``: trained at ``rate`` times the learning rate; ``frozen``: never changed,
            without dropout (its projector is trained at the full rate).
        rate: Factor of the learning rate for text encoder and projector.
        pretraining_steps: Steps of contrastive training on phrasings before the first image; what
            a text encoder without pretrained weights needs.
    """

    pretrained: str | None = None
    mode: Literal["own_rate", "frozen"] = "own_rate"
    rate: float = 0.1
    pretraining_steps: int = 0

    def __post_init__(self) -> None:
        if self.mode == "frozen" and self.pretraining_steps:
            raise UsageError("text_encoder: expected pretraining_steps 0 where mode is frozen")
        _at_least("text_encoder", 0, rate=self.rate, pretraining_steps=self.pretraining_steps)


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Part of a run: a cheap grid and the coarse pass first, the real ones later.

    Attributes:
        until: Share of the run at which the phase ends.
        image_size: Network input (D, H, W); positions are relative, so weights carry over.
        pass_weights: Weight of the loss on each pass, coarse first; as many passes are run.
    """

    until: float
    image_size: Size
    pass_weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.pass_weights or min(self.pass_weights) < 0 or self.pass_weights[-1] == 0:
            raise UsageError(
                f"phases.pass_weights: expected weights of 0 or more, the last one positive, "
                f"received {self.pass_weights}"
            )


@dataclass(frozen=True, kw_only=True)
class ValidationConfig:
    """Held-out cases.

    Attributes:
        fraction: Share of every data set's subjects that is held out; 0 trains on all.
        cases: At most so many cases of a data set are scored.
        every_steps: Steps between two validations; one more follows at the end. 0: only that one.
    """

    fraction: float = 0.05
    cases: int = 20
    every_steps: int = 2000

    def __post_init__(self) -> None:
        if not 0 <= self.fraction <= 0.5:
            raise UsageError(f"validation.fraction: expected 0 to 0.5, received {self.fraction}")
        _at_least("validation", 1, cases=self.cases)
        _at_least("validation", 0, every_steps=self.every_steps)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One run.

    Attributes:
        length: See LengthConfig.
        network: Sizes; the official network by default. Its vocabulary size follows the tokenizer.
            Ignored when a bundle is fine-tuned.
        phases: Parts of the run, in order. None: one phase at the network's size with the loss on
            the last pass only, as published.
        freeze_norm_at: Share of the run after which BatchNorm uses its running statistics, so that
            the weights adapt to what prediction will use; 0 never touches the statistics, 1 always
            learns them.
        ema_decay: Of the averaged weights that are validated and exported; 0: no averaging.
        precision: ``bf16``: autocast on CUDA, float32 on a CPU; ``fp32``: float32 everywhere.
        checkpoint_encoder: Trade time for memory: recompute the image encoder in the backward pass.
        checkpoint_minutes: Time between checkpoints.
        log_every: Steps between two rows of the log.
        seed: Of every random number in the run.
    """

    length: LengthConfig
    network: ModelConfig = field(default_factory=ModelConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    text_encoder: TextConfig = field(default_factory=TextConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    phases: tuple[Phase, ...] | None = None
    freeze_norm_at: float = 1.0
    ema_decay: float = 0.0
    precision: Literal["bf16", "fp32"] = "bf16"
    checkpoint_encoder: bool = False
    checkpoint_minutes: float = 10.0
    log_every: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        _share("config", freeze_norm_at=self.freeze_norm_at, ema_decay=self.ema_decay)
        _at_least("config", 1, log_every=self.log_every)
        _at_least("config", 0, seed=self.seed, checkpoint_minutes=self.checkpoint_minutes)
        ends = [phase.until for phase in self.phases or ()]
        if self.phases is not None and (ends != sorted(set(ends)) or ends[-1:] != [1.0]):
            raise UsageError(f"phases: expected rising ends up to 1.0, received {ends}")

    def phases_of(self, network: ModelConfig) -> tuple[Phase, ...]:
        """The phases for a network, checked against its sizes.

        Raises:
            UsageError: A grid that the network cannot take.
        """
        if self.phases is None:
            weights = (0.0,) * network.refinements + (1.0,)
            return (Phase(until=1.0, image_size=network.image_size, pass_weights=weights),)
        patch = network.image_encoder.patch_size
        for phase in self.phases:
            if any(n < patch or n % patch for n in phase.image_size):
                raise UsageError(
                    f"phases.image_size: expected multiples of {patch}, received {phase.image_size}"
                )
        return self.phases


def _at_least(section: str, least: float, **values: float) -> None:
    for name, value in values.items():
        if not value >= least:
            raise UsageError(f"{section}.{name}: expected {least} or more, received {value}")


def _share(section: str, **values: float) -> None:
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise UsageError(f"{section}.{name}: expected a number from 0 to 1, received {value}")
