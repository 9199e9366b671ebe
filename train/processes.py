"""Processes and devices of a run, as the launcher says."""

from __future__ import annotations

import os

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs

from predict.errors import UsageError
from train.config import Phase, TrainConfig


def start_accelerator(config: TrainConfig, phases: tuple[Phase, ...]) -> Accelerator:
    """Join the other processes; one process and the best device without a launcher.

    Precision is the objective's own affair, so it is off here, also for DeepSpeed.

    Raises:
        UsageError: The batch cannot be shared out evenly, or the launcher is set up for something
            else.
    """
    parts = config.optimizer.accumulation
    one_pass = any(len(phase.pass_weights) == 1 for phase in phases)
    accelerator = Accelerator(
        cpu=not torch.cuda.is_available(),
        mixed_precision="no",
        gradient_accumulation_steps=parts,
        kwargs_handlers=[
            # Without refinements the mask encoder gets no gradient. Buffers agree by themselves.
            DistributedDataParallelKwargs(find_unused_parameters=one_pass, broadcast_buffers=False)
        ],
    )
    images, processes = config.sampling.images_per_step, accelerator.num_processes
    if processes != int(os.environ.get("WORLD_SIZE", "1")):
        raise UsageError(
            f"expected the launcher's {os.environ['WORLD_SIZE']} processes to work together, "
            f"received {processes}: is its configuration one for this machine?"
        )
    if images % (processes * parts):
        raise UsageError(
            f"sampling.images_per_step: expected a multiple of {processes} processes x {parts} "
            f"parts, received {images}"
        )
    if accelerator.gradient_accumulation_steps != parts:
        raise UsageError(
            f"optimizer.accumulation: expected {accelerator.gradient_accumulation_steps}, as the "
            f"launcher's configuration says, received {parts}"
        )
    plugin = getattr(accelerator.state, "deepspeed_plugin", None)
    if plugin is not None:
        plugin.deepspeed_config["train_micro_batch_size_per_gpu"] = images // (processes * parts)
    return accelerator
