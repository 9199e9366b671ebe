"""Predict every case of a folder: nothing is lost, each failure stays with its case."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from predict.cases import Case
from predict.errors import CaseError
from predict.instances import Instances, cap_instances
from predict.labels import count_voxels, fuse_labels, nan_warning
from predict.npz import is_finished, read_case, write_labels, write_stand_in
from predict.predictor import ImagePredictor
from predict.report import CaseReport, PromptReport, peak_memory_mb

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a folder is predicted.

    Attributes:
        skip_existing: Leave cases alone whose output is there, unless it stands in for a failure.
        all_instances: Write instance ids as int32 and all of them, not at most 255 as uint8.
        preview: Called with case and labels after each good case; draws a picture.
    """

    skip_existing: bool = False
    all_instances: bool = False
    preview: Callable[[Case, np.ndarray], Path] | None = None


def predict_case(
    predictor: ImagePredictor, source: Path, output: Path, options: Options
) -> CaseReport:
    """Read, segment and write one case.

    Whatever goes wrong, an all-background output of the right shape is written where the shape
    could be told, and the report says what happened.
    """
    report = CaseReport(case=source.name)
    if options.skip_existing and is_finished(output):
        report.status = "skipped"
        return report
    start = time.perf_counter()
    shape: tuple[int, ...] | None = None
    try:
        case = read_case(source)
        shape = case.image.shape
        report.lap("read", start)
        report.warnings += case.warnings
        report.errors += [f"{source.name}: {reason}" for reason in case.rejected]
        labels = _segment(predictor, case, report, options)
        writing = time.perf_counter()
        write_labels(output, labels)
        report.lap("write", writing)
        report.status = "partial" if case.rejected else "ok"
        if options.preview is not None:
            _draw(options.preview, case, labels, report)
    except CaseError as error:
        report.fail(str(error))
        _write_background(output, error.shape or shape, report)
    except Exception as error:  # whatever it is, the next case must run and an output be there
        logger.debug("%s", source.name, exc_info=True)
        report.fail(f"{source.name}: {type(error).__name__}: {_first_line(error)}")
        _write_background(output, shape, report)
    report.seconds["total"] = time.perf_counter() - start
    report.peak_memory_mb = peak_memory_mb()
    return report


def _segment(
    predictor: ImagePredictor, case: Case, report: CaseReport, options: Options
) -> np.ndarray:
    prompts = case.prompts[:1] if case.instance else case.prompts
    if len(prompts) < len(case.prompts):
        report.warnings.append(
            f"instance case: only the first prompt is segmented, {len(case.prompts) - 1} ignored"
        )
    predictor.set_image(case.image)
    answer = predictor.predict(
        [prompt.text for prompt in prompts], [prompt.class_id for prompt in prompts]
    )
    report.seconds.update(answer.seconds)
    shape = (case.image.shape[0], case.image.shape[1], case.image.shape[2])
    start = time.perf_counter()
    if case.instance:
        mask = fuse_labels(answer.views, shape) > 0
        instances = predictor.separate_objects(mask, case.spacing)
        labels = _instance_labels(instances, report, options)
        found = {prompts[0].class_id: int(np.count_nonzero(instances.labels))}
        report.instances = instances.count
    else:
        labels = fuse_labels(answer.views, shape)
        found = count_voxels(labels)
    report.lap("labels", start)
    presence = answer.presence or (None,) * len(prompts)
    for prompt, there, truncated in zip(prompts, presence, answer.truncated, strict=True):
        voxels = found.get(prompt.class_id, 0)
        report.prompts.append(PromptReport(prompt.class_id, prompt.text, voxels, there))
        if truncated:
            report.warnings.append(f"prompt {prompt.class_id} is too long: its end was not read")
    for prompt, share in zip(prompts, answer.not_numbers, strict=False):
        if share:
            report.warnings.append(f"prompt {prompt.class_id}: {nan_warning(share)}")
    return labels


def _instance_labels(instances: Instances, report: CaseReport, options: Options) -> np.ndarray:
    if options.all_instances:
        return instances.labels
    labels, dropped = cap_instances(instances.labels)
    if dropped:
        report.warnings.append(
            f"{dropped} of {instances.count} instances dropped: ids end at 255, largest first"
        )
    report.dropped_instances = dropped
    return labels


def _draw(
    preview: Callable[[Case, np.ndarray], Path], case: Case, labels: np.ndarray, report: CaseReport
) -> None:
    """Draw a picture; without one the masks are as good as before."""
    try:
        report.preview = str(preview(case, labels))
    except Exception as error:  # the mask is written already and must stay
        report.warnings.append(f"no picture could be drawn: {_first_line(error)}")


def _write_background(output: Path, shape: tuple[int, ...] | None, report: CaseReport) -> None:
    """Write an all-background answer if none can be made; a failing disk adds to the report."""
    if shape is None:
        return
    try:
        write_stand_in(output, shape)
        report.errors.append("an all-background output was written instead")
    except Exception as error:  # zipfile answers a lack of memory with a ValueError
        report.errors.append(f"no output could be written: {_first_line(error)}")
        if output.exists():
            report.warnings.append(f"{output.name} is of an earlier run")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]
