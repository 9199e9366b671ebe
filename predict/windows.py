"""Intensities as the network saw them: Hounsfield windows for CT, percentiles for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from predict.volumes import Volume


@dataclass(frozen=True)
class Window:
    """How intensities become 0..255.

    Attributes:
        name: ``soft tissue``, ``lung``, ``brain``, ``bone``, ``W,L``, or ``percentiles``.
        width: Of the Hounsfield window; None for percentiles.
        level: Its centre.
    """

    name: str
    width: float | None = None
    level: float | None = None


def choose_windows(
    volume: Volume, prompts: Sequence[str], window: str | None = None
) -> tuple[Window, ...]:
    """The window of each prompt, in their order; equal windows compare equal (group by them).

    Args:
        volume: The image.
        prompts: What is asked for; decides the window of a CT.
        window: A person's choice for all prompts: ``soft tissue``, ``lung``, ``brain``, ``bone``,
            ``W,L`` in Hounsfield units, or ``percentiles``; None for the rule.

    Raises:
        UsageError: An unknown window.
    """
    raise NotImplementedError


def prepare(volume: Volume, window: Window) -> np.ndarray:
    """The image as the network wants it: (D, H, W) in canonical order, 0..255.

    Returns:
        uint8 for Hounsfield windows and images that are in the range already, else float32.

    Raises:
        CaseError: No finite voxel.
    """
    raise NotImplementedError
