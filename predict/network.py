"""The network on a device, within its memory: smaller batches, then the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch

from predict.exhaustion import copy_to_cpu, is_exhaustion
from predict.free_memory import free_memory
from predict.memory import cpu_batch, gpu_batch
from predict.model.mask_decoder import ImageFeatures
from predict.model.text3dsam import PassOutput, Text3DSAM
from predict.precision import choose_precision

Result = TypeVar("Result")
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Place:
    """The network on one device, in the precision that is good there."""

    model: Text3DSAM
    device: torch.device
    precision: torch.dtype

    def autocast(self) -> torch.autocast:
        """Reduced precision where that is the place's."""
        reduced = self.precision is torch.bfloat16
        return torch.autocast(self.device.type, torch.bfloat16, enabled=reduced)


class Network:
    """Encodes and decodes; where memory runs out it goes on with less.

    Batches are halved down to one prompt; where that is too much for a GPU the rest of the case is
    done on the CPU. :meth:`start_case` goes back to the GPU.

    Attributes:
        events: What had to be done for want of memory, one line each.
    """

    def __init__(self, model: Text3DSAM, device: torch.device, batch_size: int | None) -> None:
        """Take a model that is on the device; ``batch_size`` None: sized to free memory."""
        self.batch_size = batch_size
        self.events: list[str] = []
        self._places = [Place(model, device, choose_precision(model, device))]
        self._rung = 0

    @property
    def place(self) -> Place:
        """Where it works now."""
        return self._places[self._rung]

    @property
    def first_place(self) -> Place:
        """Where it works as long as memory lasts."""
        return self._places[0]

    def share(self) -> Network:
        """The same weights for another image."""
        other = object.__new__(Network)
        other.batch_size, other._places = self.batch_size, self._places
        other.start_case()
        return other

    def start_case(self) -> None:
        """Back to the first place, with no events."""
        self.events, self._rung = [], 0

    def on_device(self, step: Callable[[torch.device], Result], doing: str) -> Result:
        """What a step makes on the device, or where memory lasts.

        Raises:
            MemoryError: It does so nowhere.
        """
        return self._persist(lambda at: step(at.device), doing)

    def encode_image(self, volume: torch.Tensor) -> ImageFeatures:
        """(1, 1, D, H, W) intensities on any device -> features."""
        return self._persist(
            lambda at: at.model.encode_image(volume.to(at.device)), "encoding the image"
        )

    def encode_text(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(N, L) token ids and mask on any device -> (N, E) embeddings."""
        return self._persist(
            lambda at: at.model.encode_text(ids.to(at.device), mask.to(at.device)),
            "reading the prompts",
        )

    def decode(
        self,
        features: ImageFeatures,
        text: torch.Tensor,
        refinements: int | None = None,
        before: PassOutput | None = None,
    ) -> PassOutput:
        """Last pass of all prompts, which may lie anywhere, batch by batch; as of the model."""
        done: list[PassOutput] = []
        start, size = 0, self.batch_that_fits()
        while start < len(text):
            part = slice(start, start + size)
            given = None if before is None else PassOutput(*(x[part] for x in before))
            step = partial(_last_pass, features, text[part], refinements, given)
            last = self._attempt(step)
            if last is not None:
                done.append(last)
                start += size
            elif size > 1:
                size = max(1, min(size, len(text) - start) // 2)
                self.note(f"memory ran out: {size} prompts at once")
            else:
                self._fall("one prompt at a time")
        return joined(done)

    def batch_that_fits(self) -> int:
        """Prompts to decode at once with the memory that is free now."""
        if self.batch_size is not None:
            return self.batch_size
        config = self.place.model.config
        if self.place.device.type == "cuda":
            return gpu_batch(config, torch.cuda.mem_get_info(self.place.device)[0])
        return cpu_batch(config, free_memory().bytes)

    def _persist(self, step: Callable[[Place], Result], doing: str) -> Result:
        while True:
            result = self._attempt(step)
            if result is not None:
                return result
            self._fall(doing)

    def _attempt(self, step: Callable[[Place], Result]) -> Result | None:
        """The step's result; None if memory ran out, when nothing of the attempt is kept."""
        try:
            with self.place.autocast():
                return step(self.place)
        except (RuntimeError, MemoryError) as error:
            if not is_exhaustion(error):
                raise
        # Only here, where the error and the tensors it holds are gone, can they be given back.
        if self.place.device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    def _fall(self, doing: str) -> None:
        """Go on on the CPU.

        Raises:
            MemoryError: That is where it was.
        """
        if self.place.device.type == "cpu":
            raise MemoryError(f"memory ran out while {doing}")
        if self._rung + 1 == len(self._places):
            self._places.append(Place(copy_to_cpu(self.place.model), CPU, torch.float32))
        self._rung += 1
        self.note(f"the GPU's memory ran out while {doing}: the rest was done on the CPU")

    def note(self, event: str) -> None:
        """Add to the events, once."""
        if event not in self.events:
            self.events.append(event)


def joined(parts: Sequence[PassOutput]) -> PassOutput:
    """Outputs of batches as one, where the last of them is."""
    device = parts[-1].logits.device
    logits, token = (
        torch.cat([x.to(device) for x in tensors]) for tensors in zip(*parts, strict=True)
    )
    return PassOutput(logits, token)


def _last_pass(
    features: ImageFeatures,
    text: torch.Tensor,
    refinements: int | None,
    before: PassOutput | None,
    at: Place,
) -> PassOutput:
    """Of prompts and features that are brought to the place."""
    if features.embedding.device.type != at.device.type:
        features = ImageFeatures(*(maps.to(at.device) for maps in features))
    given = None if before is None else PassOutput(*(x.to(at.device) for x in before))
    return at.model.decode(features, text.to(at.device), refinements, given)[-1]
