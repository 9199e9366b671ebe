"""Set an image once, then ask for any number of prompts."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from predict.bundle import Bundle
from predict.errors import UsageError
from predict.instances import Instances, separate_instances
from predict.labels import View
from predict.model.mask_decoder import ImageFeatures
from predict.model.text3dsam import PassOutput
from predict.precision import choose_precision
from predict.resample import Window, resample_volume, resize_volume
from predict.second_look import Look, into_window, plan_looks
from predict.tiles import plan_tiles, stitch
from predict.touching import split_touching


@dataclass(frozen=True)
class Answer:
    """Answer of the network for all prompts of a case.

    Attributes:
        views: Every prompt's logits in one of them, on the network's coarse grid. Prompts whose
            target is not there, as far as the network can tell, are in none.
        presence: Per prompt, the probability that its target is there; None if it is not told.
        truncated: Per prompt, whether it was longer than the text encoder can read.
        seconds: Time by stage.
    """

    views: list[View]
    presence: tuple[float, ...] | None
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


class ImagePredictor:
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
        self.pipeline = bundle.pipeline
        self.tokenizer = bundle.tokenizer
        self.device = device
        self.precision = choose_precision(self.model, device)
        self.batch_size = batch_size
        self._image: np.ndarray | None = None
        self._features: ImageFeatures | None = None
        self._seconds: dict[str, float] = {}

    def share(self) -> ImagePredictor:
        """Another predictor with the same weights, without an image."""
        other = copy.copy(self)
        other._image, other._features, other._seconds = None, None, {}
        return other

    @torch.inference_mode()
    def set_image(self, image: np.ndarray) -> None:
        """Resize and encode a volume.

        Args:
            image: (D, H, W) real array, 0..255; in precise mode kept for the second look.
        """
        watch = _Stopwatch(self.device)
        size = self.model.config.image_size
        if self.precise:
            everything = (0, image.shape[0]), (0, image.shape[1]), (0, image.shape[2])
            volume = resample_volume(image, size, self.device, everything)
        else:
            volume = resize_volume(image, size, self.device)
        watch.lap("resize")
        with self._autocast():
            self._features = self.model.encode_image(volume)
        watch.lap("encode_image")
        self._seconds = watch.seconds
        self._image = image

    @property
    def precise(self) -> bool:
        """Whether prediction is our more careful one, not the published one."""
        return self.pipeline.mode == "precise"

    @torch.inference_mode()
    def predict(self, texts: Sequence[str], class_ids: Sequence[int] | None = None) -> Answer:
        """Decode prompts for the current image.

        Args:
            texts: One or more prompts.
            class_ids: Their ids in the answer's views; 1, 2, ... if None.

        Raises:
            UsageError: No image was set, or there are no prompts.
        """
        if self._features is None or self._image is None:
            raise UsageError("predict: call set_image first")
        if not texts:
            raise UsageError("predict: expected at least one prompt, received none")
        ids = range(1, len(texts) + 1) if class_ids is None else class_ids
        watch = _Stopwatch(self.device)
        prompts = self.tokenizer.encode(
            texts, max_length=self.model.config.text_encoder.max_position_embeddings
        )
        with self._autocast():
            embeddings = self.model.encode_text(
                prompts.ids.to(self.device), prompts.mask.to(self.device)
            )
            watch.lap("encode_text")
            coarse = self._decode(
                self._features, embeddings, refinements=0 if self.precise else None
            )
            presence = self._presence(embeddings, coarse)
            looks = self._look(self._image, self._features, embeddings, coarse)
        watch.lap("decode")
        views = self._views(looks, ids, presence)
        return Answer(views, presence, prompts.truncated, {**self._seconds, **watch.seconds})

    def separate_objects(self, mask: np.ndarray, spacing: Sequence[float]) -> Instances:
        """Objects of a mask: connected components, in precise mode cut where they touch.

        Args:
            mask: (D, H, W) bool.
            spacing: (x, y, z) of the voxels, in any unit.
        """
        cut = partial(split_touching, spacing=tuple(reversed(spacing))) if self.precise else None
        return separate_instances(mask, cut)

    def _presence(self, text: torch.Tensor, seen: PassOutput) -> tuple[float, ...] | None:
        """Every prompt's probability that its target is there, if the network tells."""
        logits = self.model.presence(text, seen)
        return None if logits is None else tuple(logits.float().sigmoid().tolist())

    def _look(
        self, image: np.ndarray, features: ImageFeatures, text: torch.Tensor, coarse: PassOutput
    ) -> list[tuple[Look, torch.Tensor]]:
        """Logits of all prompts; in precise mode refined in windows, large ones tile by tile."""
        if not self.precise:
            return [(Look(tuple(range(len(text))), None), coarse.logits[:, 0])]
        refined = []
        for look in plan_looks(coarse.logits[:, 0], image.shape):
            members = list(look.members)
            before = PassOutput(coarse.logits[members], coarse.token[members])
            if look.window is None:
                logits = self._decode(features, text[members], before=before).logits[:, 0]
            else:
                tiles = plan_tiles(look.window, image.shape, self.model.config.image_size)
                seen = [self._look_at(tile, image, text[members], before) for tile in tiles]
                logits = stitch(seen, tiles, look.window)
            refined.append((look, logits))
        return refined

    def _look_at(
        self, window: Window, image: np.ndarray, text: torch.Tensor, before: PassOutput
    ) -> torch.Tensor:
        """Refine what a coarse look found, in a window: (N, d, h, w) logits."""
        part = resample_volume(image, self.model.config.image_size, self.device, window)
        logits = into_window(before.logits[:, 0], window, image.shape)
        features = self.model.encode_image(part)
        start = PassOutput(logits[:, None], before.token)
        return self._decode(features, text, before=start).logits[:, 0]

    def _views(
        self,
        looks: Sequence[tuple[Look, torch.Tensor]],
        class_ids: Sequence[int],
        presence: Sequence[float] | None,
    ) -> list[View]:
        """Views of the prompts that are there, as far as the network can tell."""
        views, least = [], self.pipeline.least_presence
        for look, logits in looks:
            kept = [
                i for i, m in enumerate(look.members) if presence is None or presence[m] >= least
            ]
            ids = [class_ids[look.members[i]] for i in kept]
            views.append(View(logits=logits[kept], class_ids=ids, window=look.window))
        return views

    def _decode(
        self,
        features: ImageFeatures,
        text: torch.Tensor,
        *,
        refinements: int | None = None,
        before: PassOutput | None = None,
    ) -> PassOutput:
        """Last pass of all prompts; halves the batch when memory runs out."""
        size = self.batch_size or self._batch_that_fits()
        done: list[PassOutput] = []
        start = 0
        while start < len(text):
            part = slice(start, start + size)
            given = None if before is None else PassOutput(before.logits[part], before.token[part])
            try:
                passes = self.model.decode(features, text[part], refinements, given)
            except torch.OutOfMemoryError:
                if size == 1:
                    raise
                torch.cuda.empty_cache()
                size = max(1, size // 2)
                continue
            done.append(PassOutput(passes[-1].logits.float(), passes[-1].token.float()))
            start += size
        return PassOutput(*(torch.cat(parts) for parts in zip(*done, strict=True)))

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
