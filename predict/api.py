"""The Python interface: load a bundle, set an image, ask.

    from predict import Segmenter

    segmenter = Segmenter.load()
    segmenter.set_image("scan.nii.gz")
    result = segmenter.predict(["liver", "left kidney"])
    result.save("mask.nii.gz")

Axis order and intensities are taken care of: the network sees the volume in one fixed orientation
and through the window that suits each prompt; the mask comes back on the file's own grid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from predict.result import Result
from predict.volumes import Volume

Image = str | Path | Volume | np.ndarray
Prompts = str | Sequence[str] | Mapping[int, str]
Progress = Callable[[str], None]


class Segmenter:
    """A bundle on a device, and the image it currently looks at.

    Thread safety: every method may be called from any thread. Calls that use the network are
    serialised by a lock that all segmenters made by :meth:`share` have in common, so no two of them
    compete for memory. An image set by one thread is seen by all: threads that work on different
    images take one :meth:`share` each, which costs no memory for weights.

    Attributes:
        bundle: Folder the weights came from.
        bundle_sha256: Hash that stands for the whole bundle.
        volume: The current image; None before the first :meth:`set_image`.
    """

    bundle: Path
    bundle_sha256: str
    volume: Volume | None

    @classmethod
    def load(
        cls,
        bundle: str | Path | None = None,
        *,
        device: str = "auto",
        batch_size: int | None = None,
    ) -> Segmenter:
        """Verify a bundle and load it.

        Args:
            bundle: Folder; the shipped one if None.
            device: ``auto``, ``cpu`` or ``cuda``.
            batch_size: Prompts decoded at once; what fits if None.

        Raises:
            BundleError: The bundle is missing or damaged.
            UsageError: The device is not there.
        """
        raise NotImplementedError

    def share(self) -> Segmenter:
        """Another segmenter on the same weights and lock, without an image."""
        raise NotImplementedError

    def set_image(
        self,
        image: Image,
        spacing: Sequence[float] | None = None,
        *,
        series: str | None = None,
        modality: str | None = None,
    ) -> Volume:
        """Take an image; nothing is encoded before the first prompt tells the window.

        Args:
            image: A file or a DICOM folder; a Volume; or an array (D, H, W) with axes (z, y, x)
                that count towards the head, the back and the patient's left (identity direction in
                LPS). CT in Hounsfield units.
            spacing: Voxel size (x, y, z) in mm, of an array only; 1, 1, 1 if None.
            series: Which series of a DICOM folder.
            modality: ``CT``, ``MR``, ``PET``, ``US`` or ``Microscopy`` where the image does not
                say it, or says it wrongly.

        Returns:
            The image as it was understood.

        Raises:
            CaseError: The image cannot be read or used.
            UsageError: A spacing for something that has its own, or no such series.
        """
        raise NotImplementedError

    def predict(
        self,
        prompts: Prompts,
        *,
        window: str | None = None,
        instances: bool = False,
        probabilities: bool = False,
        progress: Progress | None = None,
    ) -> Result:
        """Segment the current image.

        The image is encoded once per window and kept, so that further calls with other prompts cost
        only the decoding.

        Args:
            prompts: One text, several, or a table of class id (1..255) -> text. A list gets the
                ids 1, 2, ... in its order.
            window: Look at all prompts through this window instead of the one each suggests.
            instances: Tell the objects of the single prompt apart.
            probabilities: Also return a probability map per prompt (two bytes per voxel each).
            progress: Called with a few words before every stage; what it raises ends the call, and
                the encodings made so far stay.

        Raises:
            UsageError: No image set, no or unusable prompts, an unknown window.
        """
        raise NotImplementedError

    def check(self, prompts: Prompts) -> tuple[str, ...]:
        """Warnings about prompts, for the current image if there is one; nothing is segmented.

        One line for each prompt that is far from everything the bundle was trained on, or whose
        modality or side contradicts the image or another prompt. Empty if all is well, or if the
        bundle does not say what it was trained on.
        """
        raise NotImplementedError
