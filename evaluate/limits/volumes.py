"""Cases of any size to measure with, written plane by plane: they may be larger than memory."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from predict.errors import UsageError

BALL_DISTANCE, BALL_RADIUS = 40, 14
RANGES = {"uint8": 40.0, "int16": 400.0, "float32": 100.0, "float64": 100.0}


@dataclass(frozen=True, kw_only=True)
class Volume:
    """A case without anatomy.

    Attributes:
        shape: (D, H, W).
        dtype: Of the voxels; int16 looks like Hounsfield units, floats are in 0..255.
        prompts: How many.
        instance: Whether objects are told apart: the volume is full of balls then.
    """

    shape: tuple[int, int, int]
    dtype: str = "uint8"
    prompts: int = 1
    instance: bool = False

    def __post_init__(self) -> None:
        if self.dtype not in RANGES:
            raise UsageError(f"dtype: expected one of {', '.join(RANGES)}, received {self.dtype}")
        if min(self.shape) < 1 or not 1 <= self.prompts <= 255:
            raise UsageError(f"case {self}: expected positive sizes and 1..255 prompts")

    @classmethod
    def parse(cls, text: str) -> Volume:
        """Read ``DxHxW[:DTYPE[:PROMPTS[:instance]]]``.

        Raises:
            UsageError: It is not of that form.
        """
        size, *rest = text.split(":")
        try:
            depth, height, width = (int(n) for n in size.split("x"))
            prompts = int(rest[1]) if len(rest) > 1 else 1
        except ValueError:
            raise UsageError(
                f"case: expected DxHxW:DTYPE:PROMPTS[:instance], received {text!r}"
            ) from None
        return cls(
            shape=(depth, height, width),
            dtype=rest[0] if rest else "uint8",
            prompts=prompts,
            instance=rest[2:] == ["instance"],
        )

    def __str__(self) -> str:
        size = "x".join(str(n) for n in self.shape)
        return f"{size} {self.dtype}, {self.prompts} prompts{', instance' * self.instance}"

    def write(self, path: Path) -> None:
        """Write NAME.npz: waves and noise."""
        sought = "nuclei in fluorescence microscopy" if self.instance else "structure in CT"
        prompts = {str(i + 1): f"{sought}, number {i + 1}" for i in range(self.prompts)}
        table = np.array({**prompts, "instance_label": int(self.instance)}, dtype=object)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            with archive.open("imgs.npy", "w", force_zip64=True) as file:
                descr = npy.dtype_to_descr(np.dtype(self.dtype))
                header = {"descr": descr, "fortran_order": False, "shape": self.shape}
                npy.write_array_header_1_0(file, header)
                for plane in range(self.shape[0]):
                    file.write(self._plane(plane).tobytes())
            for key, value in (("spacing", np.ones(3)), ("text_prompts", table)):
                with archive.open(f"{key}.npy", "w") as file:
                    npy.write_array(file, value)

    def _plane(self, number: int) -> np.ndarray:
        if self.instance:
            return self._balls(number)
        depth, height, width = self.shape
        z = np.sin(6 * number / depth)
        y, x = (np.sin(np.linspace(0, 5, n, dtype=np.float32)) for n in (height, width))
        noise = np.random.default_rng(number).integers(0, 16, (height, width), np.uint8)
        values = (y[:, None] * x * z + 1) * RANGES[self.dtype] + noise
        shifted = values - 600 if self.dtype == "int16" else values
        return np.asarray(shifted.astype(self.dtype))

    def _balls(self, number: int) -> np.ndarray:
        z, y, x = (np.arange(n) % BALL_DISTANCE - BALL_DISTANCE // 2 for n in self.shape)
        squares = z[number] ** 2 + (y**2)[:, None] + x**2
        noise = np.random.default_rng(number).integers(0, 16, squares.shape, np.uint8)
        values = np.where(squares < BALL_RADIUS**2, 200 + noise, 10 + noise)
        return np.asarray(values.astype(self.dtype))
