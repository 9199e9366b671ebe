"""The network as the server needs it: a part of :class:`predict.Segmenter`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from predict.result import Result
from predict.volumes import Volume


class Engine(Protocol):
    """Holds one image at a time; used by the worker's thread only."""

    def share(self) -> Engine:
        """Another one on the same weights, without an image."""

    def set_image(self, image: Volume) -> object:
        """Take an image instead of the current one.

        Raises:
            CaseError: The image cannot be used.
        """

    def predict(self, prompts: Sequence[str], *, progress: Callable[[str], None]) -> Result:
        """Segment the current image; its encodings are kept for the next call.

        Args:
            prompts: They get the ids 1, 2, ...
            progress: Called with a few words before every stage; what it raises ends the call.

        Raises:
            UsageError: A prompt cannot be used.
        """
