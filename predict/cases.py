"""What a case is: image, spacing, prompts, instance flag; and how odd input is made one."""

from __future__ import annotations

import math
import numbers
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from predict.errors import CaseError

MAX_ID = 255
MAX_CHARACTERS = 100_000
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
        raise CaseError(
            f"text_prompts has no prompts: expected a dict, received {type(value).__name__}"
        )
    prompts: dict[int, Prompt] = {}
    rejected = []
    for key, text in value.items():
        if key == INSTANCE_KEY:
            continue
        try:
            prompt = _parse_prompt(key, text)
            if prompt.class_id in prompts:
                raise CaseError(
                    f"prompt {reprlib.repr(key)}: class id {prompt.class_id} was already given"
                )
            prompts[prompt.class_id] = prompt
        except CaseError as error:
            rejected.append(str(error))
    if not prompts:
        received = f"none ({rejected[0]})" if rejected else "none"
        raise CaseError(
            f"text_prompts has no prompts: expected at least one usable prompt, received {received}"
        )
    instance, warnings = _parse_instance_flag(value)
    return ParsedPrompts(tuple(prompts.values()), instance, warnings, tuple(rejected))


def _parse_prompt(key: object, text: object) -> Prompt:
    shown = reprlib.repr(key)
    class_id = _class_id(key)
    if class_id is None:
        raise CaseError(f"prompt {shown}: expected an integer class id")
    if not 1 <= class_id <= MAX_ID:
        raise CaseError(f"prompt {shown}: expected a class id in 1..{MAX_ID}")
    if not isinstance(text, str):
        raise CaseError(f"prompt {shown}: expected text, received {type(text).__name__}")
    if len(text) > MAX_CHARACTERS:
        raise CaseError(
            f"prompt {shown}: expected at most {MAX_CHARACTERS} characters, received {len(text)}"
        )
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        # Halves of a character: no encoding has them, and no tokenizer takes them.
        raise CaseError(f"prompt {shown}: expected text, received surrogates")
    if not text.strip():
        raise CaseError(f"prompt {shown}: the text is empty")
    return Prompt(class_id=class_id, text=str(text))


def _class_id(key: object) -> int | None:
    if isinstance(key, bool):
        return None
    if isinstance(key, numbers.Integral):
        return int(key)
    if isinstance(key, str) and len(key) < 20 and key.strip().isascii() and key.strip().isdigit():
        return int(key)
    return None


def _parse_instance_flag(table: Mapping[object, object]) -> tuple[bool, tuple[str, ...]]:
    if INSTANCE_KEY not in table:
        return False, (f"{INSTANCE_KEY} is missing: taken as 0 (semantic)",)
    flag = table[INSTANCE_KEY]
    if isinstance(flag, str | numbers.Real | np.bool_) and flag in (0, 1, "0", "1"):
        return flag in (1, "1"), ()
    shown = reprlib.repr(flag)
    return False, (f"{INSTANCE_KEY}: expected 0 or 1, received {shown}: taken as 0",)


def check_spacing(value: object) -> tuple[Spacing, tuple[str, ...]]:
    """Voxel size (x, y, z) in mm; anything but three positive numbers becomes 1 with a warning."""
    try:
        sizes = np.asarray(value).reshape(-1)
    except ValueError:  # lists of different lengths
        sizes = np.empty(0)
    if sizes.shape == (3,) and sizes.dtype.kind in "iuf":
        x, y, z = (float(size) for size in sizes)
        if all(math.isfinite(size) and size > 0 for size in (x, y, z)):
            return (x, y, z), ()
    shown = "none" if value is None else " ".join(str(value).split())[:60]
    message = f"spacing: expected three positive numbers (mm), received {shown}: taken as 1, 1, 1"
    return (1.0, 1.0, 1.0), (message,)


def normalise_image(image: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Make an image what the network was trained on: (D, H, W), real, finite, 0..255.

    Intensities outside of 0..255 are clipped at the 0.5th and 99.5th percentile and rescaled
    (paper Sec. 3.2, for images that are not in the range yet); NaN and infinity become 0.
    uint8 is returned as it is, without a look at its voxels.

    Args:
        image: (D, H, W), any real dtype, byte order and memory order.

    Returns:
        The image as uint8 (integers and booleans in the range) or float32, in native byte order,
        and one line for each thing that was repaired.

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
        if image.dtype.itemsize > 8:
            with np.errstate(over="ignore"):
                image = image.astype(np.float64)
        image = _replace_non_finite(image, warnings)
    low, high = image.min(), image.max()
    if low < 0 or high > 255:
        message = f"imgs: expected 0..255, received {low:g}..{high:g}: clipped and rescaled"
        return rescale(image), (*warnings, message)
    if image.dtype.kind != "f":
        return image.astype(np.uint8), tuple(warnings)
    if 0 < high <= 1:
        warnings.append(f"imgs: expected 0..255, received {low:g}..{high:g}: left as it is")
    return image.astype(np.float32, copy=False), tuple(warnings)


def _replace_non_finite(image: np.ndarray, warnings: list[str]) -> np.ndarray:
    finite = np.isfinite(image)
    missing = image.size - int(np.count_nonzero(finite))
    if missing == image.size:
        raise CaseError("imgs: expected finite values, received none", shape=image.shape)
    if missing == 0:
        return image
    warnings.append(f"imgs: {missing} voxels are NaN or infinite: taken as 0")
    return np.where(finite, image, image.dtype.type(0))


def rescale(image: np.ndarray) -> np.ndarray:
    """Clip finite values at the 0.5th and 99.5th percentile and stretch them to 0..255, float32."""
    # An odd step does not fall in with axes whose lengths are powers of two.
    step = math.ceil(image.size / SAMPLE_VOXELS) | 1
    sample = image.ravel(order="K")[::step].astype(np.float64) / 255
    low, high = np.percentile(sample, (0.5, 99.5))
    if low == high:  # a few bright voxels on an even ground
        low, high = float(image.min()) / 255, float(image.max()) / 255
    result = np.zeros(image.shape, np.float32)
    if high > low:
        # Divided before anything is subtracted: the widest range must not overflow.
        for index, plane in enumerate(image):
            clipped = np.clip(plane.astype(np.float64) / 255, low, high)
            result[index] = (clipped - low) / (high - low) * 255
    return result
