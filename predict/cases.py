"""What a case is: image, spacing, prompts, instance flag; and how odd input is made one."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from predict.errors import CaseError

MAX_ID = 255
INSTANCE_KEY = "instance_label"
SAMPLE_VOXELS = 2_000_000
Spacing = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A class id in 1..255 and what to look for."""

    class_id: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Case:
    """A volume and what is asked of it.

    Attributes:
        name: File name without its ending.
        image: (D, H, W) uint8 or float32, 0..255.
        spacing: Voxel size (x, y, z) in mm.
        prompts: In the order of the file; it decides ties.
        instance: Whether the objects of the first prompt are wanted one by one.
        warnings: What was repaired, one line each.
        rejected: Prompts that cannot be used, one line each.
    """

    name: str
    image: np.ndarray
    spacing: Spacing
    prompts: tuple[Prompt, ...]
    instance: bool
    warnings: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()


class ParsedPrompts(NamedTuple):
    """Usable prompts, instance flag, and what was wrong with the rest."""

    prompts: tuple[Prompt, ...]
    instance: bool
    warnings: tuple[str, ...]
    rejected: tuple[str, ...]


def parse_prompts(value: object) -> ParsedPrompts:
    """Read a ``text_prompts`` table: class id -> prompt, and ``instance_label``.

    A prompt that cannot be used is rejected by itself; the others go on.

    Raises:
        CaseError: Not a table, or no prompt is left.
    """
    if not isinstance(value, Mapping):
        raise CaseError(f"text_prompts: expected a dict, received {type(value).__name__}")
    prompts: dict[int, Prompt] = {}
    rejected = []
    for key, text in value.items():
        if key == INSTANCE_KEY:
            continue
        try:
            prompt = _parse_prompt(key, text)
            if prompt.class_id in prompts:
                raise CaseError(f"prompt {key!r}: class id {prompt.class_id} was already given")
            prompts[prompt.class_id] = prompt
        except CaseError as error:
            rejected.append(str(error))
    if not prompts:
        reason = f" ({rejected[0]})" if rejected else ""
        raise CaseError(f"text_prompts: expected at least one usable prompt, received none{reason}")
    instance, warnings = _parse_instance_flag(value)
    return ParsedPrompts(tuple(prompts.values()), instance, warnings, tuple(rejected))


def _parse_prompt(key: object, text: object) -> Prompt:
    shown = repr(key)[:40]
    if isinstance(key, str) and key.strip().isascii() and key.strip().isdigit() and len(key) < 20:
        class_id = int(key)
    elif isinstance(key, numbers.Integral) and not isinstance(key, bool):
        class_id = int(key)
    else:
        raise CaseError(f"prompt {shown}: expected an integer class id")
    if not 1 <= class_id <= MAX_ID:
        raise CaseError(f"prompt {shown}: expected a class id in 1..{MAX_ID}")
    if not isinstance(text, str):
        raise CaseError(f"prompt {shown}: expected text, received {type(text).__name__}")
    if not text.strip():
        raise CaseError(f"prompt {shown}: the text is empty")
    return Prompt(class_id=class_id, text=str(text))


def _parse_instance_flag(table: Mapping[object, object]) -> tuple[bool, tuple[str, ...]]:
    if INSTANCE_KEY not in table:
        return False, (f"{INSTANCE_KEY} is missing: taken as 0 (semantic)",)
    flag = table[INSTANCE_KEY]
    if flag in (0, 1):
        return bool(flag), ()
    if flag in ("0", "1"):
        return flag == "1", ()
    return False, (f"{INSTANCE_KEY}: expected 0 or 1, received {repr(flag)[:40]}: taken as 0",)


def check_spacing(value: object) -> tuple[Spacing, tuple[str, ...]]:
    """Voxel size (x, y, z) in mm; anything but three positive numbers becomes 1 with a warning."""
    try:
        sizes = [float(s) for s in np.asarray(value, dtype=np.float64).reshape(-1)]
    except (TypeError, ValueError):
        sizes = []
    if len(sizes) == 3 and all(math.isfinite(s) and s > 0 for s in sizes):
        return (sizes[0], sizes[1], sizes[2]), ()
    shown = "none" if value is None else str(value).replace("\n", " ")[:60]
    message = f"spacing: expected three positive numbers (mm), received {shown}: taken as 1, 1, 1"
    return (1.0, 1.0, 1.0), (message,)


def normalise_image(image: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Make an image what the network was trained on: (D, H, W), real, finite, 0..255.

    Intensities outside of 0..255 are clipped at the 0.5th and 99.5th percentile and rescaled
    (paper Sec. 3.2, for images that are not in the range yet).

    Raises:
        CaseError: Not three axes, an empty axis, not real numbers, or no finite voxel.
    """
    if image.ndim != 3 or 0 in image.shape:
        raise CaseError(
            f"imgs: expected three axes (D, H, W), none empty, received shape {image.shape}",
            shape=image.shape,
        )
    if image.dtype == np.uint8:
        return image, ()
    if image.dtype == np.bool_:
        return image.astype(np.uint8) * np.uint8(255), ("imgs is boolean: True taken as 255",)
    if image.dtype.kind not in "iuf":
        raise CaseError(f"imgs: expected real numbers, received {image.dtype}", shape=image.shape)
    warnings: list[str] = []
    if image.dtype.kind == "f":
        image = _replace_non_finite(image, warnings)
    low, high = image.min(), image.max()
    if low < 0 or high > 255:
        message = f"imgs: expected 0..255, received {low:g}..{high:g}: clipped and rescaled"
        return _rescale(image), (*warnings, message)
    if image.dtype.kind != "f":
        return image.astype(np.uint8), tuple(warnings)
    if 0 < high <= 1:
        warnings.append(f"imgs: expected 0..255, received {low:g}..{high:g}: left as it is")
    return image.astype(np.float32), tuple(warnings)


def _replace_non_finite(image: np.ndarray, warnings: list[str]) -> np.ndarray:
    finite = np.isfinite(image)
    missing = image.size - int(np.count_nonzero(finite))
    if missing == image.size:
        raise CaseError("imgs: expected finite values, received none", shape=image.shape)
    if missing == 0:
        return image
    warnings.append(f"imgs: {missing} voxels are NaN or infinite: taken as the smallest value")
    return np.where(finite, image, image[finite].min())


def _rescale(image: np.ndarray) -> np.ndarray:
    step = max(1, math.ceil((image.size / SAMPLE_VOXELS) ** (1 / 3)))
    sample = image[::step, ::step, ::step].astype(np.float64)
    low, high = np.percentile(sample, (0.5, 99.5))
    scale = 255 / (high - low) if high > low else 0.0
    result = np.empty(image.shape, np.float32)
    for index, plane in enumerate(image):
        result[index] = (np.clip(plane.astype(np.float64), low, high) - low) * scale
    return result
