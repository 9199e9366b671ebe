"""Set an image once, then ask for any number of prompts."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from predict.bundle import Bundle
from predict.case_size import plan_case
from predict.errors import UsageError
from predict.governor import Governor, StageTimes, by_worth
from predict.instances import Instances, separate_instances
from predict.labels import View
from predict.memory import MemoryPlan
from predict.model.mask_decoder import ImageFeatures
from predict.model.text3dsam import PassOutput
from predict.network import Network, joined
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
        unrefined: Numbers of the prompts that kept their coarse logits for want of time or memory.
        warnings: What was done for want of memory, one line each.
        not_numbers: Per prompt, the share of the network's answer that is NaN: background.
    """

    views: list[View]
    presence: tuple[float, ...] | None
    truncated: tuple[bool, ...]
    seconds: dict[str, float]
    unrefined: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()
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
        times: What stages took on this device so far.

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
        self.network = Network(self.model, device, batch_size)
        self.precision = self.network.place.precision
        self.times = StageTimes()
        self._image: np.ndarray | None = None
        self._features: ImageFeatures | None = None
        self._seconds: dict[str, float] = {}

    def plan(self, source: Path) -> MemoryPlan | None:
        """Memory that an npz case will take, told by its headers; see :func:`plan_case`."""
        return plan_case(
            source,
            self.model.config,
            batch_size=self.network.batch_size,
            on_gpu=self.device.type != "cpu",
        )

    def share(self) -> ImagePredictor:
        """Another predictor with the same weights, without an image."""
        other = copy.copy(self)
        other.network = self.network.share()
        other._image, other._features, other._seconds = None, None, {}
        return other

    @torch.inference_mode()
    def set_image(self, image: np.ndarray) -> None:
        """Resize and encode a volume.

        Args:
            image: (D, H, W) real array, 0..255; in precise mode kept for the second look.
        """
        watch = _Stopwatch(self.device)
        self.network.start_case()
        everything = (0, image.shape[0]), (0, image.shape[1]), (0, image.shape[2])
        volume = self._resized(image, everything)
        watch.lap("resize")
        self._features = self.network.encode_image(volume)
        watch.lap("encode_image")
        self.times.observe("encode", 1, sum(watch.seconds.values()))
        self._seconds = watch.seconds
        self._image = image

    @property
    def precise(self) -> bool:
        """Whether prediction is our more careful one, not the published one."""
        return self.pipeline.mode == "precise"

    @torch.inference_mode()
    def predict(
        self,
        texts: Sequence[str],
        class_ids: Sequence[int] | None = None,
        governor: Governor | None = None,
    ) -> Answer:
        """Decode prompts for the current image.

        Args:
            texts: One or more prompts.
            class_ids: Their ids in the answer's views; 1, 2, ... if None.
            governor: Says what time is left for refinements; None: as much as they take.

        Raises:
            UsageError: No image was set, or there are no prompts.
            MemoryError: Not even one prompt at a time fits.
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
        embeddings = self.network.encode_text(prompts.ids, prompts.mask)
        watch.lap("encode_text")
        if governor is None:
            governor = Governor(math.inf, self.times, voxels=self._image.size, classes=len(texts))
        coarse = self._decode(self._features, embeddings, refinements=0)
        presence = self._presence(embeddings, coarse)
        looks, unrefined = self._look(self._image, self._features, embeddings, coarse, governor)
        watch.lap("decode")
        views = self._views(looks, ids, presence)
        return Answer(
            views,
            presence,
            prompts.truncated,
            {**self._seconds, **watch.seconds},
            unrefined,
            tuple(self.network.events),
            _not_numbers(looks),
        )

    def separate_objects(
        self, mask: np.ndarray, spacing: Sequence[float], governor: Governor | None = None
    ) -> Instances:
        """Objects of a mask: connected components, in precise mode cut where they touch.

        Args:
            mask: (D, H, W) bool.
            spacing: (x, y, z) of the voxels, in any unit.
            governor: Says how long components are cut; None: as long as it takes.
        """

        def cut(component: np.ndarray) -> np.ndarray:
            if governor is None or governor.may_cut():
                return split_touching(component, tuple(reversed(spacing)))
            return component.astype(np.int32)

        return separate_instances(mask, cut if self.precise else None)

    def _resized(self, image: np.ndarray, window: Window) -> torch.Tensor:
        """A window of an image, as the network wants it."""
        size, doing = self.model.config.image_size, "resizing the image"
        if self.precise:
            return self.network.on_device(
                lambda device: resample_volume(image, size, device, window), doing
            )
        return self.network.on_device(lambda device: resize_volume(image, size, device), doing)

    def _presence(self, text: torch.Tensor, seen: PassOutput) -> tuple[float, ...] | None:
        """Every prompt's probability that its target is there, if the network tells."""
        place = self.network.place
        seen = PassOutput(*(x.to(place.device).float() for x in seen))
        logits = place.model.presence(text.to(place.device), seen)
        return (
            None if logits is None else tuple(logits.float().sigmoid().nan_to_num(nan=0.0).tolist())
        )

    def _look(
        self,
        image: np.ndarray,
        features: ImageFeatures,
        text: torch.Tensor,
        coarse: PassOutput,
        governor: Governor,
    ) -> tuple[list[tuple[Look, torch.Tensor]], tuple[int, ...]]:
        """Logits of all prompts, refined as far as time allows: in precise mode in windows.

        Returns:
            Looks with what was seen, and the prompts that keep their coarse logits.
        """
        looks = [Look(tuple(range(len(text))), None)]
        if self.precise:
            looks = plan_looks(coarse.logits[:, 0], image.shape, self.model.config.image_size)
        refined: list[tuple[Look, torch.Tensor]] = []
        left: list[int] = []
        for look in by_worth(looks):
            asked = list(look.members)
            before = PassOutput(coarse.logits[asked], coarse.token[asked])
            try:
                seen = self._refine(image, features, look, text[asked], before, governor)
            except MemoryError:  # the coarse answer is there
                self.network.note("memory ran out: refinements were left out")
                seen = None
            done = 0 if seen is None else len(seen)
            left += asked[done:]
            if seen is not None and done:
                refined.append((replace(look, members=tuple(asked[:done])), seen))
        left.sort()
        if left:
            refined.append((Look(tuple(left), None), coarse.logits[left, 0]))
        return refined, tuple(left)

    def _refine(
        self,
        image: np.ndarray,
        features: ImageFeatures,
        look: Look,
        text: torch.Tensor,
        before: PassOutput,
        governor: Governor,
    ) -> torch.Tensor | None:
        """Logits of the first of a look's prompts, as many as there is time for; None: for none."""
        if look.window is None:
            return self._passes(features, text, before, governor)
        tiles = [look.window]
        if look.thin:
            tiles = plan_tiles(look.window, image.shape, self.model.config.image_size)
        asked, passes = len(text) * len(tiles), self.model.config.refinements
        count = governor.affordable(asked, passes=passes, windows=len(tiles)) // len(tiles)
        seen: list[torch.Tensor] = []
        for tile in tiles:
            if count == 0:
                return None
            start = PassOutput(before.logits[:count], before.token[:count])
            seen.append(self._look_at(tile, image, text[:count], start, governor))
            count = len(seen[-1])
        device = self.network.place.device
        return stitch([logits[:count].to(device) for logits in seen], tiles, look.window)

    def _look_at(
        self,
        window: Window,
        image: np.ndarray,
        text: torch.Tensor,
        before: PassOutput,
        governor: Governor,
    ) -> torch.Tensor:
        """Refine what a coarse look found, in a window: (n, d, h, w) logits of the first n."""
        watch = _Stopwatch(self.device)
        features = self.network.encode_image(self._resized(image, window))
        logits = into_window(before.logits[:, 0].float(), window, image.shape)
        watch.lap("window")
        self.times.observe("encode", 1, watch.seconds["window"])
        return self._passes(features, text, PassOutput(logits[:, None], before.token), governor)

    def _passes(
        self, features: ImageFeatures, text: torch.Tensor, before: PassOutput, governor: Governor
    ) -> torch.Tensor:
        """Refine in batches for as long as there is time: (n, d, h, w) logits of the first n."""
        done: list[PassOutput] = []
        start = 0
        while start < len(text):
            batch = min(len(text) - start, self.network.batch_that_fits())
            batch = governor.affordable(batch, passes=self.model.config.refinements)
            if batch == 0:
                break
            part = slice(start, start + batch)
            given = PassOutput(before.logits[part], before.token[part])
            done.append(self._decode(features, text[part], before=given))
            start += batch
        return joined(done).logits[:, 0] if done else before.logits[:0, 0]

    def _views(
        self,
        looks: Sequence[tuple[Look, torch.Tensor]],
        class_ids: Sequence[int],
        presence: Sequence[float] | None,
    ) -> list[View]:
        """Views of the prompts that are there, as far as the network can tell."""
        views, least = [], self.pipeline.least_presence
        device = self.network.place.device
        for look, logits in looks:
            kept = [
                i for i, m in enumerate(look.members) if presence is None or presence[m] >= least
            ]
            ids = [class_ids[look.members[i]] for i in kept]
            final = logits[kept].to(device).float()
            views.append(View(logits=final, class_ids=ids, window=look.window))
        return views

    def _decode(
        self,
        features: ImageFeatures,
        text: torch.Tensor,
        *,
        refinements: int | None = None,
        before: PassOutput | None = None,
    ) -> PassOutput:
        """Last pass of all prompts, timed."""
        watch = _Stopwatch(self.device)
        seen = self.network.decode(features, text, refinements, before)
        watch.lap("decode")
        passes = self.model.config.refinements if refinements is None else 1 + refinements
        self.times.observe("decode", passes * len(text), watch.seconds["decode"])
        return seen


def _not_numbers(looks: Sequence[tuple[Look, torch.Tensor]]) -> tuple[float, ...]:
    shares = {
        member: share
        for look, logits in looks
        for member, share in zip(
            look.members, logits.isnan().float().mean((1, 2, 3)).tolist(), strict=True
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
