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
from predict.resample import resample_volume, resize_volume
from predict.second_look import Look, into_window, plan_looks
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
        not_numbers: Per prompt, the share of the network's answer that is NaN: background.
    """

    views: list[View]
    presence: tuple[float, ...] | None
    truncated: tuple[bool, ...]
    seconds: dict[str, float]
    not_numbers: tuple[float, ...] = ()


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
            looks = self._look(self._image, self._features, embeddings)
        watch.lap("decode")
        views, presence = self._views(looks, ids)
        seconds = {**self._seconds, **watch.seconds}
        return Answer(views, presence, prompts.truncated, seconds, _not_numbers(looks))

    def separate_objects(self, mask: np.ndarray, spacing: Sequence[float]) -> Instances:
        """Objects of a mask: connected components, in precise mode cut where they touch.

        Args:
            mask: (D, H, W) bool.
            spacing: (x, y, z) of the voxels, in any unit.
        """
        cut = partial(split_touching, spacing=tuple(reversed(spacing))) if self.precise else None
        return separate_instances(mask, cut)

    def _look(
        self, image: np.ndarray, features: ImageFeatures, text: torch.Tensor
    ) -> list[tuple[Look, PassOutput]]:
        """Last pass of all prompts; in precise mode its refinements happen in windows."""
        if not self.precise:
            everyone = Look(tuple(range(len(text))), None)
            return [(everyone, self._decode(features, text))]
        coarse = self._decode(features, text, refinements=0)
        refined = []
        for look in plan_looks(coarse.logits[:, 0], image.shape):
            members = list(look.members)
            logits, seen = coarse.logits[members, 0], features
            if look.window is not None:
                size = self.model.config.image_size
                part = resample_volume(image, size, self.device, look.window)
                seen = self.model.encode_image(part)
                logits = into_window(logits, look.window, image.shape)
            before = PassOutput(logits[:, None], coarse.token[members])
            refined.append((look, self._decode(seen, text[members], before=before)))
        return refined

    def _views(
        self, looks: Sequence[tuple[Look, PassOutput]], class_ids: Sequence[int]
    ) -> tuple[list[View], tuple[float, ...] | None]:
        """Views of the prompts that are there, and every prompt's probability of that."""
        views, probability = [], [1.0] * len(class_ids)
        told = False
        for look, (logits, token) in looks:
            there = self.model.presence(token)
            if there is not None:
                told = True
                there = there.sigmoid().nan_to_num(nan=0.0)
                for member, value in zip(look.members, there.tolist(), strict=True):
                    probability[member] = value
            kept = [
                i
                for i, member in enumerate(look.members)
                if probability[member] >= self.pipeline.least_presence
            ]
            ids = [class_ids[look.members[i]] for i in kept]
            views.append(View(logits=logits[kept, 0], class_ids=ids, window=look.window))
        return views, tuple(probability) if told else None

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


def _not_numbers(looks: Sequence[tuple[Look, PassOutput]]) -> tuple[float, ...]:
    shares = {
        member: share
        for look, (logits, _) in looks
        for member, share in zip(
            look.members, logits.isnan().float().mean((1, 2, 3, 4)).tolist(), strict=True
        )
    }
    return tuple(shares[member] for member in sorted(shares))


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
