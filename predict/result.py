"""What was found in a volume, in the order of its own file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from predict.errors import UsageError
from predict.volumes import Volume


@dataclass(frozen=True, kw_only=True)
class PromptResult:
    """What one prompt found.

    Attributes:
        class_id: Its label in the mask, 1..255.
        text: The prompt, as given.
        voxels: Voxels of its label; 0 means not found.
        volume_mm3: Their volume.
        presence: Probability that the target is there; None where the bundle does not tell.
        window: Name of the intensity window it was looked for in.
        probability: (D, H, W) float16, 0..1, in the file's own order; None where not asked for.
            Where several prompts claim a voxel, the mask has the more probable one.
    """

    class_id: int
    text: str
    voxels: int
    volume_mm3: float
    presence: float | None = None
    window: str | None = None
    probability: np.ndarray | None = None

    @property
    def found(self) -> bool:
        """Whether any voxel was found."""
        return self.voxels > 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON, without the probabilities."""
        values: dict[str, Any] = {
            "id": self.class_id,
            "text": self.text,
            "found": self.found,
            "voxels": self.voxels,
            "volume_mm3": round(self.volume_mm3, 3),
            "window": self.window,
        }
        return values if self.presence is None else {**values, "presence": round(self.presence, 4)}


@dataclass(frozen=True, kw_only=True)
class Result:
    """Mask of a volume and what is to be said of it.

    Attributes:
        labels: (D, H, W), axes (z, y, x) of the file's own grid: uint8 class ids, 0 background; of
            instances int32 ids 1..n, largest object first.
        prompts: In the order asked.
        volume: The image the mask belongs to.
        seconds: Time by stage; encodings made for an earlier call are not counted again.
        warnings: One line each: odd prompts, repaired input.
        instances: Number of objects; None where classes were asked for.
    """

    labels: np.ndarray
    prompts: tuple[PromptResult, ...]
    volume: Volume
    seconds: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    instances: int | None = None

    def __getitem__(self, text: str) -> PromptResult:
        """The result of a prompt by its text."""
        for prompt in self.prompts:
            if prompt.text == text:
                return prompt
        raise KeyError(text)

    def mask(self, text: str) -> np.ndarray:
        """(D, H, W) bool: voxels of a prompt; of instances, of any object."""
        class_id = self[text].class_id
        return self.labels > 0 if self.instances is not None else self.labels == class_id

    @property
    def not_found(self) -> tuple[str, ...]:
        """Prompts without a voxel."""
        return tuple(prompt.text for prompt in self.prompts if not prompt.found)

    @property
    def names(self) -> dict[int, str]:
        """Label -> what it stands for, of every label that may be in the mask."""
        if self.instances is None:
            return {prompt.class_id: prompt.text for prompt in self.prompts}
        return {i: f"{self.prompts[0].text} {i}" for i in range(1, self.instances + 1)}

    def save(self, path: str | Path) -> tuple[Path, ...]:
        """Write the mask with the image's geometry; the path's ending names the format.

        Args:
            path: ``.nii.gz``, ``.nrrd``, ``.mha``, ``.npz``, ... or, for DICOM-SEG, ``.dcm``.

        Returns:
            The files written: the mask, then a JSON of names and colours where the format has no
            room for them.

        Raises:
            UsageError: An ending no writer knows, or one that does not fit the image.
            OSError: The disk refuses; nothing is left behind.
        """
        from predict.colours import label_colour
        from predict.formats import write_mask

        names = self.names
        colours = {label: label_colour(label) for label in names}
        return write_mask(self.labels, self.volume, Path(path), names, colours)

    def save_probability(self, text: str, path: str | Path) -> Path:
        """Write a prompt's probability map as float32 with the image's geometry.

        Args:
            text: The prompt.
            path: ``.nii.gz`` or ``.nii``.

        Raises:
            UsageError: Probabilities were not asked for, or another ending.
            OSError: The disk refuses; nothing is left behind.
        """
        from predict.atomic import replacing
        from predict.formats.nifti import write_nifti

        target = Path(path)
        if not target.name.lower().endswith((".nii", ".nii.gz")):
            raise UsageError(f"probabilities: expected .nii.gz or .nii, received {target.name}")
        probability = self[text].probability
        if probability is None:
            raise UsageError("probabilities: expected predict(..., probabilities=True) before")
        with replacing(target) as partial:
            write_nifti(probability.astype(np.float32), self.volume, partial)
        return target

    def save_sheet(self, path: str | Path, *, title: str = "") -> Path:
        """Draw a contact sheet (see :mod:`predict.sheet`) as PNG and return its path."""
        from predict.sheet import scene_of_result, write_sheet

        return write_sheet(scene_of_result(self, title), Path(path))

    def save_surface(self, path: str | Path, prompts: Sequence[str] | None = None) -> Path:
        """Write the found surfaces as a mesh (see :mod:`predict.surface`) and return its path.

        Args:
            path: ``.stl`` (one body), ``.obj`` or ``.ply``.
            prompts: Which; all that were found if None.

        Raises:
            UsageError: An unknown ending, a missing library, or nothing to draw.
        """
        from predict.surface import write_surface

        return write_surface(self, Path(path), prompts)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON, without arrays."""
        return {
            "shape": list(self.labels.shape),
            "spacing": list(self.volume.spacing),
            "modality": self.volume.modality,
            "prompts": [prompt.to_dict() for prompt in self.prompts],
            "not_found": list(self.not_found),
            "instances": self.instances,
            "warnings": list(self.warnings),
            "seconds": {stage: round(value, 4) for stage, value in self.seconds.items()},
        }


def as_prompts(prompts: str | Sequence[str] | Mapping[int, str]) -> dict[int, str]:
    """Class id -> text of what a caller may give as prompts.

    Raises:
        UsageError: No prompt, an empty or repeated one, too many, or an id outside of 1..255.
    """
    if isinstance(prompts, Mapping):
        table = dict(prompts)
    else:
        texts = [prompts] if isinstance(prompts, str) else list(prompts)
        table = dict(enumerate(texts, start=1))
    if not table:
        raise UsageError("prompts: expected at least one, received none")
    for class_id, text in table.items():
        if not 1 <= class_id <= 255:
            raise UsageError(f"prompts: expected ids in 1..255, received {class_id}")
        if not isinstance(text, str) or not text.strip():
            raise UsageError(f"prompt {class_id}: expected text, received {text!r}")
    repeated = {text for text in table.values() if list(table.values()).count(text) > 1}
    if repeated:
        raise UsageError(f"prompts: expected different ones, received {min(repeated)!r} twice")
    return table
