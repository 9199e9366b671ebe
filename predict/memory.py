"""How much memory a case needs, stage by stage, and the batch and slab sizes that fit.

The coefficients are measured ones (``python -m evaluate memory`` measures them again); the rest
follows from which arrays live at the same time. Stages come one after the other, so the largest of
them counts, on top of what the process holds already.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from predict.errors import CaseError
from predict.free_memory import FreeMemory
from predict.labels import CPU_COLUMNS
from predict.model.config import ModelConfig

MIB = 2**20
CPU_DECODE_BYTES = 256 * MIB  # more prompts at once are not faster
GPU_DECODE_SHARE = 1 / 8
MOST_PROMPTS = 32
SLAB_BYTES, LEAST_SLAB_BYTES = 8 * MIB, MIB  # the larger stays in the cache
FIRST_USE = 75 * MIB  # code and buffers of the libraries, touched by the first case
WRITE_BYTES = 24 * MIB
ALIVE_ENCODING, ALIVE_DECODING, ALIVE_AFTER = 6, 3.1, 4  # times the finest map of the network
ALIVE_IN_SLABS = 0.45  # the same for each prompt on the CPU, where that map comes in slabs
COPIES_OF_LOGITS = 3.5
INSTANCE_BYTES = 12  # per voxel: labels, mask, components, ids; objects that fill the case
KEPT_FREE = 1 / 20
MOST_BACKGROUND = 2**31  # voxels of a stand-in, which take time but no memory
Shape3d = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class CaseSize:
    """What a case is before it is read.

    Attributes:
        shape: (D, H, W).
        dtype: Of the image as stored.
        prompts: How many.
        instance: Whether objects are told apart.
    """

    shape: Shape3d
    dtype: np.dtype[np.generic]
    prompts: int
    instance: bool = False

    @property
    def voxels(self) -> int:
        """D x H x W."""
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """Sizes to work with, and what they lead to.

    Attributes:
        batch_size: Prompts decoded at once.
        slab_bytes: Of a float32 slab of full resolution while masks are drawn.
        stages: Bytes beyond those held, by stage.
        held: Bytes the process had when it was planned.
        free: What it may take.
    """

    batch_size: int
    slab_bytes: int
    stages: Mapping[str, int]
    held: int
    free: FreeMemory

    @property
    def needed(self) -> int:
        """Most bytes beyond those held."""
        return max(self.stages.values())

    @property
    def peak(self) -> int:
        """Most bytes of the process."""
        return self.held + self.needed

    @property
    def fits(self) -> bool:
        """Whether something is left even so."""
        return self.needed <= self.free.bytes * (1 - KEPT_FREE)


def plan_memory(
    size: CaseSize,
    config: ModelConfig,
    *,
    free: FreeMemory,
    held: int,
    batch_size: int | None = None,
    network_elsewhere: bool = False,
) -> MemoryPlan:
    """The largest batches and slabs that fit, on the CPU.

    Args:
        size: The case.
        config: Sizes of the network.
        free: What the process may take.
        held: What it holds.
        batch_size: Prompts at once, if that is given.
        network_elsewhere: The network works in a GPU's memory, not in this one.

    Raises:
        CaseError: It does not fit one prompt at a time; its ``shape`` is set where an
            all-background answer can be written.
    """
    batch = min(batch_size or cpu_batch(config, free.bytes), size.prompts)
    slab = cpu_slab(free.bytes)
    while True:
        stages = _stages(size, config, batch, slab, network_elsewhere)
        plan = MemoryPlan(batch_size=batch, slab_bytes=slab, stages=stages, held=held, free=free)
        if plan.fits:
            return plan
        if batch == 1:
            raise _too_large(size, plan)
        batch -= 1


def decode_bytes(config: ModelConfig) -> int:
    """What the decoder takes for each prompt of a batch, its finest map in one piece."""
    return math.ceil(ALIVE_DECODING * _finest_map(config))


def cpu_batch(config: ModelConfig, free: int) -> int:
    """Prompts per batch on the CPU, of whose free bytes at most half are taken."""
    return _batch(min(CPU_DECODE_BYTES, free // 2), config)


def gpu_batch(config: ModelConfig, free: int) -> int:
    """Prompts per batch on a GPU with so many free bytes."""
    return _batch(int(free * GPU_DECODE_SHARE), config)


def cpu_slab(free: int) -> int:
    """Bytes of a slab, a few of which live at once."""
    return max(LEAST_SLAB_BYTES, min(SLAB_BYTES, free // 16))


def _batch(budget: int, config: ModelConfig) -> int:
    return max(1, min(MOST_PROMPTS, budget // decode_bytes(config)))


def _finest_map(config: ModelConfig) -> int:
    return 4 * math.prod(config.logit_size) * config.image_encoder.channels[0]


def _stages(
    size: CaseSize, config: ModelConfig, batch: int, slab: int, network_elsewhere: bool
) -> dict[str, int]:
    voxels, plane = size.voxels, 4 * size.shape[1] * size.shape[2]
    read, image = _reading(size)
    logits = math.ceil(COPIES_OF_LOGITS * 4 * size.prompts * math.prod(config.logit_size))
    finest, network_input = _finest_map(config), 4 * math.prod(config.image_size)
    chunks = network_input + 4 * max(SLAB_BYTES, plane)
    if network_elsewhere:
        encode = decode = kept = 0
    else:
        kept = ALIVE_AFTER * finest
        encode = kept + network_input + ALIVE_ENCODING * finest  # the second look, maps still held
        decode = kept + math.ceil(batch * ALIVE_IN_SLABS * finest)
    column = 4 * size.shape[1] * min(CPU_COLUMNS, size.shape[2])
    labels = voxels + kept + 3 * max(slab, column)
    if size.instance:
        labels = max(labels, kept + INSTANCE_BYTES * voxels)
    held_with_image = {
        "resize": chunks,
        "encode": encode,
        "decode": decode + logits,
        "labels": labels + logits,
        "write": voxels + kept + WRITE_BYTES,
    }
    first = {"read": read}
    return first | {stage: FIRST_USE + image + n for stage, n in held_with_image.items()}


def _reading(size: CaseSize) -> tuple[int, int]:
    """Most bytes while the image is read and normalised, and those of the image afterwards.

    What types wider than a byte hold is not known before: values that have to be rescaled, which
    takes most, are expected.
    """
    dtype, voxels = size.dtype, size.voxels
    raw = voxels * dtype.itemsize
    if dtype == np.uint8:
        return raw, raw
    swapped = 0 if dtype.isnative else raw
    if dtype == np.bool_:
        return 3 * voxels, voxels
    wide = 8 * voxels if dtype.kind == "f" and dtype.itemsize > 8 else 0
    image = voxels if dtype == np.int8 else 4 * voxels
    return raw + max(swapped, wide, image), image


def _too_large(size: CaseSize, plan: MemoryPlan) -> CaseError:
    background = size.voxels <= MOST_BACKGROUND
    return CaseError(
        f"shape {size.shape} of {size.dtype} needs {_gigabytes(plan.needed)} of memory, "
        f"{_gigabytes(plan.free.bytes)} are free (limited by {plan.free.limited_by})",
        shape=size.shape if background else None,
    )


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2g} GB" if count < 1e9 else f"{count / 1e9:.1f} GB"
