"""One image of ``segment``: read, segmented, written, reported."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from predict.api import Segmenter
from predict.errors import CaseError, UsageError
from predict.formats import mask_name
from predict.report import CaseReport, PromptReport, peak_memory_mb
from predict.result import Result
from predict.volumes import Volume

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How images are segmented and what is written.

    Attributes:
        format: Ending of the masks; None for the kind of the image.
        series: Which DICOM series.
        modality: Of the images, where their files do not say it.
        window: For all prompts; None for the one each suggests.
        instances: Whether objects are told apart.
        probabilities: Whether a map per prompt is written too.
        surface: ``stl``, ``obj`` or ``ply``; None for none.
        sheet: Whether a picture is drawn.
        skip_existing: Whether images with a mask are left alone.
    """

    format: str | None = None
    series: str | None = None
    modality: str | None = None
    window: str | None = None
    instances: bool = False
    probabilities: bool = False
    surface: str | None = None
    sheet: bool = True
    skip_existing: bool = False


def segment_case(
    segmenter: Segmenter, image: Path, folder: Path, prompts: Mapping[int, str], wishes: Wishes
) -> CaseReport:
    """Segment one image; whatever goes wrong stays with it.

    The mask is written last, so that an image with a mask is a finished one.

    Raises:
        UsageError: The call does not fit the image, such as one of several DICOM series not chosen.
    """
    report = CaseReport(case=image.name or image.resolve().name)
    if wishes.skip_existing and _finished(image, folder, wishes):
        report.status = "skipped"
        return report
    start = time.perf_counter()
    try:
        volume = segmenter.set_image(image, series=wishes.series, modality=wishes.modality)
        result = segmenter.predict(
            prompts,
            window=wishes.window,
            instances=wishes.instances,
            probabilities=wishes.probabilities,
        )
        report.warnings += result.warnings
        report.instances = result.instances
        report.prompts += [
            PromptReport(p.class_id, p.text, p.voxels, p.presence, p.volume_mm3)
            for p in result.prompts
        ]
        report.seconds.update(result.seconds)
        writing = time.perf_counter()
        _write(result, folder / mask_name(image, volume, wishes.format), wishes, report)
        report.lap("write", writing)
        report.status = "ok"
    except CaseError as error:
        report.fail(str(error))
    except UsageError:
        raise
    except Exception as error:  # whatever it is, the next image must run
        logger.debug("%s", image, exc_info=True)
        first = (str(error).splitlines() or [""])[0]
        report.fail(f"{report.case}: {type(error).__name__}: {first}")
    report.seconds["total"] = time.perf_counter() - start
    report.peak_memory_mb = peak_memory_mb()
    return report


def _write(result: Result, mask: Path, wishes: Wishes, report: CaseReport) -> None:
    mask.parent.mkdir(parents=True, exist_ok=True)
    stem = mask.name.rpartition("_mask.")[0]
    if wishes.sheet:
        report.preview = str(result.save_sheet(mask.with_name(f"{stem}_sheet.png"), title=stem))
    if wishes.surface is not None:
        if result.not_found == tuple(prompt.text for prompt in result.prompts):
            report.warnings.append("no surface: nothing was found")
        else:
            name = f"{stem}_surface.{wishes.surface}"
            report.files.append(str(result.save_surface(mask.with_name(name))))
    for prompt in result.prompts if wishes.probabilities else ():
        name = f"{stem}_{prompt.class_id}_probability.nii.gz"
        report.files.append(str(result.save_probability(prompt.text, mask.with_name(name))))
    report.files += [str(path) for path in result.save(mask)]


def _finished(image: Path, folder: Path, wishes: Wishes) -> bool:
    """Whether a mask is there; without a wish for a format, one of any format counts."""
    unknown = Volume(array=np.zeros((1, 1, 1), np.uint8), spacing=(1.0, 1.0, 1.0))
    name = mask_name(image, unknown, wishes.format or "*")
    if wishes.format is not None:
        return (folder / name).exists()
    beginning = name.removesuffix("*")
    return folder.is_dir() and any(
        path.name.startswith(beginning) and path.suffix != ".json" for path in folder.iterdir()
    )
