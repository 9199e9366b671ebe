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

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from predict.bundle import Bundle, load_bundle
from predict.cases import check_spacing
from predict.defaults import DEFAULT_BUNDLE
from predict.errors import CaseError, UsageError
from predict.formats import read_volume
from predict.known_prompts import MODALITIES, KnownPrompts
from predict.labels import View, count_voxels, fuse_labels, nan_warning, probability
from predict.orientation import axis_order, from_canonical
from predict.predictor import ImagePredictor, choose_device
from predict.prompt_help import PromptHelp, embedder
from predict.result import PromptResult, Result, as_prompts
from predict.volumes import Volume
from predict.windows import Window, choose_windows, is_ct, prepare

Image = str | Path | Volume | np.ndarray
Prompts = str | Sequence[str] | Mapping[int, str]
Progress = Callable[[str], None]
MOST_ENCODED = 6
ENCODING = ("resize", "encode_image")


@dataclass
class _Current:
    """The image, its modality once looked up, encodings by window, times not reported yet."""

    volume: Volume
    modality: str | None = None
    encoded: dict[Window, ImagePredictor] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass
class _Answers:
    """What the network said, put together from all windows."""

    views: list[View] = field(default_factory=list)
    presence: dict[int, float] = field(default_factory=dict)
    windows: dict[int, str] = field(default_factory=dict)
    truncated: list[int] = field(default_factory=list)
    not_numbers: dict[int, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def spend(self, seconds: Mapping[str, float]) -> None:
        """Add seconds by stage."""
        for stage, value in seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + value


class Segmenter:
    """A bundle on a device, and the image it currently looks at.

    Thread safety: every method may be called from any thread. Calls that use the network are
    serialised by a lock that all segmenters made by :meth:`share` have in common, so no two of them
    compete for memory. An image set by one thread is seen by all: threads that work on different
    images take one :meth:`share` each, which costs no memory for weights.
    """

    def __init__(
        self,
        bundle: Bundle,
        predictor: ImagePredictor,
        prompt_help: PromptHelp | None,
        lock: threading.RLock,
    ) -> None:
        """See :meth:`load` and :meth:`share`."""
        self._bundle, self._predictor, self._help = bundle, predictor, prompt_help
        self._lock = lock
        self._current: _Current | None = None

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
        chosen = choose_device(device)
        loaded = load_bundle(Path(bundle or DEFAULT_BUNDLE))
        predictor = ImagePredictor(loaded, chosen, batch_size=batch_size)
        known = loaded.known_prompts
        prompt_help = (
            PromptHelp(known, embedder(predictor.model, loaded.tokenizer)) if known else None
        )
        return cls(loaded, predictor, prompt_help, threading.RLock())

    def share(self) -> Segmenter:
        """Another segmenter on the same weights and lock, without an image."""
        return Segmenter(self._bundle, self._predictor, self._help, self._lock)

    @property
    def volume(self) -> Volume | None:
        """The current image; None before the first :meth:`set_image`."""
        return None if self._current is None else self._current.volume

    @property
    def known_prompts(self) -> KnownPrompts | None:
        """What the bundle was trained on; None where it does not say."""
        return self._bundle.known_prompts

    @property
    def prompt_help(self) -> PromptHelp | None:
        """Comparison of prompts with what is known; None where the bundle does not say."""
        return self._help

    @property
    def bundle_sha256(self) -> str:
        """Hash that stands for the whole bundle."""
        return self._bundle.sha256

    @property
    def predictor(self) -> ImagePredictor:
        """The network on its device, for what this interface does not offer."""
        return self._predictor

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
                LPS). CT in Hounsfield units. Not copied: leave it as it is while it is in use.
            spacing: Voxel size (x, y, z) in mm, of an array only; 1, 1, 1 if None.
            series: Which series of a DICOM folder: its UID or its number from 1.
            modality: ``CT``, ``MR``, ``PET``, ``US`` or ``Microscopy`` where the image does not
                say it, or says it wrongly.

        Returns:
            The image as it was understood.

        Raises:
            CaseError: The image cannot be read or used.
            UsageError: A spacing for something that has its own, no such series or modality.
        """
        start = time.perf_counter()
        if modality not in (None, *MODALITIES):
            raise UsageError(
                f"modality: expected one of {', '.join(MODALITIES)}, received {modality}"
            )
        volume = _as_volume(image, spacing, series)
        if modality is not None:
            volume = replace(volume, modality=modality)
        with self._lock:
            self._current = _Current(volume, seconds={"read": time.perf_counter() - start})
        return volume

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
            window: Look at all prompts through this window (``soft tissue``, ``lung``, ``brain``,
                ``bone``, ``W,L`` in Hounsfield units, ``percentiles``) instead of the one each
                suggests.
            instances: Tell the objects of the single prompt apart.
            probabilities: Also return a probability map per prompt (two bytes per voxel each).
            progress: Called with a few words before every stage; what it raises ends the call, and
                the encodings made so far stay.

        Raises:
            UsageError: No image set, no or unusable prompts, an unknown window.
            CaseError: The image has no finite voxel.
        """
        table = as_prompts(prompts)
        if instances and len(table) > 1:
            raise UsageError(f"instances: expected one prompt, received {len(table)}")
        with self._lock:
            if self._current is None:
                raise UsageError("predict: expected an image, call set_image first")
            tell = progress or (lambda _: None)
            answers = self._ask(self._current, table, window, tell)
            tell("drawing the mask")
            return self._result(self._current.volume, table, answers, instances, probabilities)

    def check(self, prompts: Prompts) -> tuple[str, ...]:
        """Warnings about prompts, for the current image if there is one; nothing is segmented.

        One line for each prompt that is far from everything the bundle was trained on, or whose
        modality or side contradicts the image or another prompt. Empty if all is well, or if the
        bundle does not say what it was trained on.
        """
        if self._help is None:
            return ()
        with self._lock:
            if self._current is not None and self._current.modality is None:
                self._current.modality = _modality(self._current.volume)
            modality = self._current.modality if self._current else ""
            return self._help.check(list(as_prompts(prompts).values()), modality or None)

    def _ask(
        self, current: _Current, table: Mapping[int, str], window: str | None, tell: Progress
    ) -> _Answers:
        """Decode all prompts, those of one window together."""
        answers = _Answers()
        answers.spend(current.seconds)
        current.seconds = {}
        windows = choose_windows(current.volume, list(table.values()), window)
        for chosen in dict.fromkeys(windows):
            ids = [i for i, w in zip(table, windows, strict=True) if w == chosen]
            fresh = chosen not in current.encoded
            predictor = self._encoded(current, chosen, answers, tell)
            tell(f"looking for {len(ids)} prompts, {chosen.name}")
            answer = predictor.predict([table[i] for i in ids], ids)
            answers.spend({k: v for k, v in answer.seconds.items() if fresh or k not in ENCODING})
            answers.views += answer.views
            answers.presence.update(zip(ids, answer.presence or (), strict=False))
            answers.windows.update(dict.fromkeys(ids, chosen.name))
            answers.truncated += [i for i, t in zip(ids, answer.truncated, strict=True) if t]
            answers.not_numbers.update(zip(ids, answer.not_numbers, strict=False))
        return answers

    def _encoded(
        self, current: _Current, window: Window, answers: _Answers, tell: Progress
    ) -> ImagePredictor:
        """A predictor that holds the image as seen through a window."""
        if window not in current.encoded:
            tell(f"encoding the image, {window.name}")
            start = time.perf_counter()
            image = prepare(current.volume, window)
            answers.spend({"prepare": time.perf_counter() - start})
            predictor = self._predictor.share()
            predictor.set_image(image)
            while len(current.encoded) >= MOST_ENCODED:
                current.encoded.pop(next(iter(current.encoded)))
            current.encoded[window] = predictor
        return current.encoded[window]

    def _result(
        self,
        volume: Volume,
        table: Mapping[int, str],
        answers: _Answers,
        instances: bool,
        probabilities: bool,
    ) -> Result:
        """Masks and maps in the order of the file."""
        start = time.perf_counter()
        z, y, x = (volume.array.shape[axis] for axis in axis_order(volume).axes)
        canonical = fuse_labels(answers.views, (z, y, x))
        counts = count_voxels(canonical)
        labels, count = _own_order(canonical, volume), None
        if instances:
            separated = self.predictor.separate_objects(labels > 0, volume.spacing)
            labels, count = separated.labels, separated.count
        voxel = float(np.prod(volume.spacing))
        results = tuple(
            PromptResult(
                class_id=class_id,
                text=text,
                voxels=counts.get(class_id, 0),
                volume_mm3=counts.get(class_id, 0) * voxel,
                presence=answers.presence.get(class_id),
                window=answers.windows[class_id],
                probability=_own_order(probability(answers.views, class_id, (z, y, x)), volume)
                if probabilities
                else None,
            )
            for class_id, text in table.items()
        )
        answers.spend({"labels": time.perf_counter() - start})
        return Result(
            labels=labels,
            prompts=results,
            volume=volume,
            seconds=answers.seconds,
            warnings=(
                *volume.extra.get("warnings", ()),
                *self.check(table),
                *(f'"{table[i]}" is too long: its end was not read' for i in answers.truncated),
                *(f'"{table[i]}": {nan_warning(s)}' for i, s in answers.not_numbers.items() if s),
            ),
            instances=count,
        )


def _as_volume(image: Image, spacing: Sequence[float] | None, series: str | None) -> Volume:
    if isinstance(image, np.ndarray):
        if image.ndim != 3 or 0 in image.shape:
            raise CaseError(
                f"image: expected three axes (D, H, W), none empty, received shape {image.shape}",
                shape=image.shape,
            )
        checked, wrong = check_spacing((1.0, 1.0, 1.0) if spacing is None else tuple(spacing))
        if wrong:
            raise UsageError(wrong[0].removesuffix(": taken as 1, 1, 1"))
        return Volume(array=image, spacing=checked)
    if spacing is not None:
        raise UsageError(f"spacing: expected none, {type(image).__name__} has its own")
    if isinstance(image, Volume):
        return image
    return read_volume(Path(image), series=series)


def _modality(volume: Volume) -> str:
    """As the file says, CT if its values are Hounsfield units, or empty."""
    return volume.modality or ("CT" if is_ct(volume) else "")


def _own_order(canonical: np.ndarray, volume: Volume) -> np.ndarray:
    return np.ascontiguousarray(from_canonical(canonical, volume))
