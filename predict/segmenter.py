"""Set an image once, then ask for any number of prompts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from predict.bundle import Bundle
from predict.errors import UsageError
from predict.model.mask_decoder import ImageFeatures
from predict.precision import choose_precision
from predict.resample import resize_volume


@dataclass(frozen=True)
class MaskLogits:
    """Answer of the network for all prompts of a case.

    Attributes:
        logits: (C, d, h, w) float32 on the network's coarse grid, in prompt order.
        truncated: Per prompt, whether it was longer than the text encoder can read.
        seconds: Time by stage.
    """

    logits: torch.Tensor
    truncated: tuple[bool, ...]
    seconds: dict[str, float]


def choose_device(name: str = "auto") -> torch.device:
    """``auto`` takes CUDA where there is one, else the CPU.

    Raises:
        UsageError: The device is unknown or not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("device cuda: PyTorch sees no CUDA GPU here; use --device cpu")
    if name not in ("cpu", "cuda"):
        raise UsageError(f"device: expected auto, cpu or cuda, received {name}")
    return torch.device(name)


class Segmenter:
    """The network on a device: encodes an image once, decodes prompts in batches.

    Attributes:
        precision: bfloat16 (autocast) on CUDA, float32 elsewhere and where a GPU's BF16 is wrong.

    Not thread-safe: it holds the current image.
    """

    def __init__(
        self, bundle: Bundle, device: torch.device, *, batch_size: int | None = None
    ) -> None:
        """Move the model to the device.

        Args:
            bundle: Loaded bundle.
            device: CPU or CUDA.
            batch_size: Prompts decoded at once; sized to free memory if None.
        """
        self.model = bundle.model.to(device)
        self.tokenizer = bundle.tokenizer
        self.device = device
        self.precision = choose_precision(self.model, device)
        self.batch_size = batch_size
        self._features: ImageFeatures | None = None
        self._seconds: dict[str, float] = {}

    @torch.inference_mode()
    def set_image(self, image: np.ndarray) -> None:
        """Resize (as the published code does) and encode a volume.

        Args:
            image: (D, H, W) real array, 0..255.
        """
        watch = _Stopwatch(self.device)
        volume = resize_volume(image, self.model.config.image_size, self.device)
        watch.lap("resize")
        with self._autocast():
            self._features = self.model.encode_image(volume)
        watch.lap("encode_image")
        self._seconds = watch.seconds

    @torch.inference_mode()
    def predict(self, texts: Sequence[str]) -> MaskLogits:
        """Decode prompts for the current image.

        Raises:
            UsageError: No image was set, or there are no prompts.
        """
        if self._features is None:
            raise UsageError("predict: call set_image first")
        if not texts:
            raise UsageError("predict: expected at least one prompt, received none")
        watch = _Stopwatch(self.device)
        prompts = self.tokenizer.encode(
            texts, max_length=self.model.config.text_encoder.max_position_embeddings
        )
        with self._autocast():
            embeddings = self.model.encode_text(
                prompts.ids.to(self.device), prompts.mask.to(self.device)
            )
            watch.lap("encode_text")
            logits = self._decode(self._features, embeddings)
        watch.lap("decode")
        return MaskLogits(logits, prompts.truncated, {**self._seconds, **watch.seconds})

    def _decode(self, features: ImageFeatures, embeddings: torch.Tensor) -> torch.Tensor:
        """Last pass's logits of all prompts; halves the batch when memory runs out."""
        size = self.batch_size or self._batch_that_fits()
        done: list[torch.Tensor] = []
        start = 0
        while start < len(embeddings):
            try:
                passes = self.model.decode(features, embeddings[start : start + size])
            except torch.OutOfMemoryError:
                if size == 1:
                    raise
                torch.cuda.empty_cache()
                size = max(1, size // 2)
                continue
            done.append(passes[-1].logits[:, 0].float())
            start += size
        return torch.cat(done)

    def _batch_that_fits(self) -> int:
        """Prompts per batch from the size of the upscaled voxels, about six of which are alive."""
        config = self.model.config
        d, h, w = config.logit_size
        per_prompt = 6 * 4 * d * h * w * config.image_encoder.channels[0]
        if self.device.type == "cuda":
            budget = torch.cuda.mem_get_info(self.device)[0] // 4
        else:
            budget = 512 * 2**20
        return max(1, min(32, budget // per_prompt))

    def _autocast(self) -> torch.autocast:
        reduced = self.precision is torch.bfloat16
        return torch.autocast(self.device.type, torch.bfloat16, enabled=reduced)


class _Stopwatch:
    """Seconds by stage; waits for the device so that its work is counted where it belongs."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Close a stage."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        now = time.perf_counter()
        self.seconds[stage] = now - self._last
        self._last = now
