"""Intensities as the network saw them: Hounsfield windows for CT, percentiles for the rest.

The rules (paper, Sec. 3.2, and what it leaves open):

1. Values that are in 0..255 already are left alone: any npz (as `predict.cases` does it), else
   uint8, or values that reach beyond 127 and stay in the range.
2. CT gets a Hounsfield window. An image is CT if its file says so; where the file says nothing, if
   its values are whole numbers and some lie below -500.
3. Everything else is clipped at its 0.5th and 99.5th percentile.

The window of a CT follows the prompt's words: brain, lung or bone, and soft tissue for all others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from predict.cases import normalise_image, rescale
from predict.errors import CaseError, UsageError
from predict.orientation import to_canonical
from predict.volumes import Volume

CT_BELOW = -500
IN_USE = 127


@dataclass(frozen=True)
class Window:
    """How intensities become 0..255.

    Attributes:
        name: ``soft tissue``, ``lung``, ``brain``, ``bone``, ``W,L``, or ``percentiles`` (rules 1
            and 3).
        width: Of the Hounsfield window; None for percentiles.
        level: Its centre.
    """

    name: str
    width: float | None = None
    level: float | None = None

    def __str__(self) -> str:
        numbers = "" if self.width is None else f" (W{self.width:g} L{self.level:g})"
        return self.name + numbers


PERCENTILES = Window("percentiles")
SOFT_TISSUE = Window("soft tissue", 400, 40)
LUNG = Window("lung", 1500, -160)
BRAIN = Window("brain", 80, 40)
BONE = Window("bone", 1800, 400)
WINDOWS = {window.name: window for window in (SOFT_TISSUE, LUNG, BRAIN, BONE, PERCENTILES)}

# The first that matches decides. The brain stem is outlined on head and neck CT with the soft
# tissues around it.
WORDS = (
    (
        SOFT_TISSUE,
        r"pulmonary (arter|vein|trunk|vess|valve|embol)|lung (vein|arter|vess)"
        r"|vertebral (arter|vein)|spinal cord|medulla spinalis|brain ?stem|bone marrow",
    ),
    (
        BRAIN,
        r"\bbrain|cerebr|cerebell|intra-?cranial|intra-?ventricular|intra-?axial|subdural"
        r"|subarachnoid|epidural h|\bstrokes?\b|hippocamp|thalam|basal ganglia|lateral ventricle"
        r"|midbrain|gr[ae]y matter|white matter|(frontal|temporal|parietal|occipital) lobe",
    ),
    (
        LUNG,
        r"\blungs?\b|pulmon|bronch|airway|trachea|pneumo|covid|emphysem|ground[- ]glass"
        r"|(upper|middle|lower) lobe|lingula",
    ),
    (
        BONE,
        r"\bbon[ey]|osseous|skelet|vertebra|\bspine\b|sacrum|coccyx|\bribs?\b|femurs?\b"
        r"|femoral (head|neck|shaft)|humer(us|al)|tibia|fibula|\bulna|\bhips?\b|acetabul|\bilium"
        r"|ischium|skull|\bmandibles?\b|\bjaw|\bmaxilla\b|clavic|\bscapula\b|stern(um|al)\b"
        r"|patella|fractur|osteo",
    ),
)


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
    if window is not None:
        return (parse_window(window),) * len(prompts)
    if not is_ct(volume) or _in_range(volume):
        return (PERCENTILES,) * len(prompts)
    return tuple(window_of_prompt(prompt) for prompt in prompts)


def window_of_prompt(prompt: str) -> Window:
    """The Hounsfield window that the words of a prompt ask for."""
    text = " ".join(prompt.lower().replace("_", " ").split())
    return next((window for window, words in WORDS if re.search(words, text)), SOFT_TISSUE)


def parse_window(text: str) -> Window:
    """A window by its name or as ``W,L``.

    Raises:
        UsageError: Neither.
    """
    name = " ".join(re.sub(r"[-_]", " ", text.lower()).split()) if "," not in text else text
    if name in WINDOWS:
        return WINDOWS[name]
    try:
        width, level = (float(part) for part in text.split(","))
        if width > 0 and np.isfinite([width, level]).all():
            return Window(f"{width:g},{level:g}", width, level)
    except ValueError:
        pass
    raise UsageError(f"window: expected {', '.join(WINDOWS)} or W,L (400,40), received {text!r}")


def is_ct(volume: Volume) -> bool:
    """Rule 2 of this module."""
    if volume.modality is not None or volume.kind == "npz":
        return volume.modality == "CT"
    array = volume.array
    if array.dtype.kind != "f":
        return bool(array.min() < CT_BELOW)
    if not np.nanmin(array) < CT_BELOW:
        return False
    return all((np.isnan(plane) | (plane == np.round(plane))).all() for plane in array)


def prepare(volume: Volume, window: Window) -> np.ndarray:
    """The image as the network wants it: (D, H, W) in canonical order, 0..255.

    NaN and infinity become 0 before percentiles; in a Hounsfield window NaN is 0 and infinities
    are its ends.

    Returns:
        uint8 for Hounsfield windows and whole numbers that are in the range already, else float32.

    Raises:
        CaseError: No finite voxel.
    """
    view, _ = to_canonical(volume)
    if window.width is not None and window.level is not None:
        return _windowed(view, window.level - window.width / 2, window.width)
    # In one order, so that percentiles of a sample do not depend on how the image was stored.
    view = np.ascontiguousarray(view)
    if volume.kind == "npz" or _in_range(volume):
        return normalise_image(view)[0]
    if view.dtype.kind == "f":
        finite = np.isfinite(view)
        if not finite.any():
            raise CaseError("expected finite values, received none", shape=view.shape)
        view = np.where(finite, view, view.dtype.type(0))
    return rescale(view)


def _windowed(view: np.ndarray, low: float, width: float) -> np.ndarray:
    result = np.empty(view.shape, np.uint8)
    for index, plane in enumerate(view):
        scaled = np.clip((plane.astype(np.float32) - low) / width, 0, 1) * 255
        result[index] = np.round(np.nan_to_num(scaled))
    return result


def _in_range(volume: Volume) -> bool:
    """Rule 1 of this module."""
    array = volume.array
    if volume.kind == "npz" or array.dtype == np.uint8:
        return True
    low, high = array.min(), array.max()
    return bool(low >= 0 and IN_USE < high <= 255)
