"""Predict every case of a folder: nothing is lost, each failure stays with its case."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from predict.cases import Case
from predict.drawing import draw_labels
from predict.errors import CaseError
from predict.exhaustion import is_exhaustion
from predict.governor import END_OF_START, SECONDS_PER_CLASS, Governor
from predict.hashing import file_sha256
from predict.instances import Instances, cap_instances
from predict.labels import count_voxels, nan_warning
from predict.npz import is_finished, read_case, read_shape, write_labels, write_stand_in
from predict.overlap import overlap
from predict.predictor import ImagePredictor
from predict.read_ahead import CaseReader, fits_beside
from predict.report import CaseReport, PromptReport, peak_memory_mb

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a folder is predicted.

    Attributes:
        read: Reads a case, as :func:`predict.npz.read_case` does.
        skip_existing: Leave cases alone whose output is there, unless it stands in for a failure.
        all_instances: Write instance ids as int32 and all of them, not at most 255 as uint8.
        seconds_per_class: Time for each prompt of a case; infinite for no limit.
        preview: Called with case and labels after each good case; draws a picture.
    """

    read: CaseReader = read_case
    skip_existing: bool = False
    all_instances: bool = False
    seconds_per_class: float = SECONDS_PER_CLASS
    preview: Callable[[Case, np.ndarray], Path] | None = None


@dataclass(kw_only=True)
class _Job:
    """A case on its way: read, segmented, written.

    Attributes:
        shape: Of the image, where it could be told.
        case: From reading until it is segmented, or drawn.
        labels: From segmenting on; None where the case failed or was skipped.
        spent: Seconds of the case's time that were gone before it was read.
        governor: Its time, from segmenting on.
        seconds: Spent on it, without waiting for its turn.
        starved: Whether it failed for want of memory.
    """

    source: Path
    output: Path
    report: CaseReport = field(init=False)
    shape: tuple[int, ...] | None = None
    case: Case | None = None
    labels: np.ndarray | None = None
    spent: float = 0.0
    governor: Governor | None = None
    seconds: float = 0.0
    starved: bool = False

    def __post_init__(self) -> None:
        self.report = CaseReport(case=self.source.name)


def predict_folder(
    predictor: ImagePredictor,
    sources: Sequence[Path],
    outputs: Path,
    options: Options,
    done: Callable[[CaseReport], None],
    spent: float = 0.0,
) -> None:
    """Predict cases as :func:`predict_case` does, reading and writing beside the computing.

    At most one case is read ahead, and only where half of the free memory holds it.

    Args:
        predictor: The network.
        sources: Cases, in the order in which they are predicted.
        outputs: Folder of the masks, which get the names of the cases.
        options: How.
        done: Called in that order, one call after the other, with the report of each case that is
            finished, in the thread that writes.
        spent: Seconds of the first case's time that are gone already.

    Raises:
        KeyboardInterrupt: Interrupted. Every case of which the output is there was reported, and
            nothing is being written any more.
    """

    def read(source: Path) -> _Job:
        before = spent if source == sources[0] else 0.0
        job = _Job(source=source, output=outputs / source.name, spent=before)
        return _read(predictor, job, options)

    def read_ahead(source: Path) -> _Job | None:
        skipped = _is_skipped(outputs / source.name, options)
        return read(source) if skipped or fits_beside(source) else None

    overlap(
        sources,
        read=read,
        read_ahead=read_ahead,
        compute=partial(_compute, predictor, options),
        is_starved=lambda job: job.starved,
        write=lambda job: done(_finish(job, options)),
    )


def predict_case(
    predictor: ImagePredictor, source: Path, output: Path, options: Options, spent: float = 0.0
) -> CaseReport:
    """Read, segment and write one case.

    Whatever goes wrong, an all-background output of the right shape is written where the shape
    could be told, and the report says what happened. ``spent`` seconds of the case's time are gone
    before.
    """
    job = _read(predictor, _Job(source=source, output=output, spent=spent), options)
    return _finish(_compute(predictor, options, job), options)


def give_up(source: Path, output: Path, reason: str) -> CaseReport:
    """Report a case as failed without reading its image; an all-background output is written."""
    job = _Job(source=source, output=output)
    job.report.fail(f"{source.name}: {reason}")
    with suppress(CaseError):
        job.shape = read_shape(source)
    return _finish(job, Options())


def _is_skipped(output: Path, options: Options) -> bool:
    return options.skip_existing and is_finished(output)


def _read(predictor: ImagePredictor, job: _Job, options: Options) -> _Job:
    if _is_skipped(job.output, options):
        job.report.status = "skipped"
        return job
    with _at_work(job):
        start = time.perf_counter()
        plan = predictor.plan(job.source)
        if plan is not None:
            job.report.planned_memory_mb = round(plan.peak / 2**20, 1)
        job.case = options.read(job.source, max_bytes=None if plan is None else plan.free.bytes)
        job.shape = job.case.image.shape
        job.report.input_sha256 = file_sha256(job.source)
        job.report.lap("read", start)
        job.report.warnings += job.case.warnings
        job.report.errors += [f"{job.source.name}: {reason}" for reason in job.case.rejected]
    return job


def _compute(predictor: ImagePredictor, options: Options, job: _Job) -> _Job:
    if job.case is not None:
        with _at_work(job):
            job.governor = _governor(predictor, job.case, job, options)
            job.labels = _segment(predictor, job.case, job.report, options, job.governor)
        if options.preview is None or job.labels is None:
            job.case = None
    return job


def _finish(job: _Job, options: Options) -> CaseReport:
    """Write what there is; closes the report."""
    report = job.report
    if report.status == "skipped":
        return report
    with _at_work(job):
        if job.labels is not None:
            start = time.perf_counter()
            write_labels(job.output, job.labels)
            report.output_sha256 = file_sha256(job.output)
            report.lap("write", start)
            if job.governor is not None:
                job.governor.observe("write", report.seconds["write"])
                report.warnings += job.governor.remarks()
            report.status = "partial" if report.errors else "ok"
            if options.preview is not None and job.case is not None:
                _draw(options.preview, job.case, job.labels, report)
    if report.status == "failed":
        _write_background(job.output, job.shape, report)
    report.seconds["total"] = job.seconds
    report.peak_memory_mb = peak_memory_mb()
    return report


@contextmanager
def _at_work(job: _Job) -> Iterator[None]:
    """Whatever goes wrong stays with the case: the next one must run and an output be there."""
    start = time.perf_counter()
    try:
        yield
    except CaseError as error:
        job.report.fail(str(error))
        job.shape = error.shape or job.shape
        job.starved = isinstance(error.__cause__, MemoryError)
    except Exception as error:
        logger.debug("%s", job.source.name, exc_info=True)
        job.report.fail(f"{job.source.name}: {type(error).__name__}: {_first_line(error)}")
        job.starved = is_exhaustion(error)
    job.seconds += time.perf_counter() - start


def _governor(predictor: ImagePredictor, case: Case, job: _Job, options: Options) -> Governor:
    """The case's time, of which reading has taken its part."""
    classes = 1 if case.instance else len(case.prompts)
    reading = job.report.seconds["read"]
    governor = Governor(
        options.seconds_per_class * classes,
        predictor.times,
        voxels=case.image.size,
        classes=classes,
        instance=case.instance,
        spent=job.spent + reading,
        ending=END_OF_START * job.spent,
    )
    governor.observe("read", reading)
    job.report.time_limit = governor.budget if math.isfinite(governor.budget) else None
    return governor


def _segment(
    predictor: ImagePredictor,
    case: Case,
    report: CaseReport,
    options: Options,
    governor: Governor,
) -> np.ndarray:
    prompts = case.prompts[:1] if case.instance else case.prompts
    if len(prompts) < len(case.prompts):
        report.warnings.append(
            f"instance case: only the first prompt is segmented, {len(case.prompts) - 1} ignored"
        )
    predictor.set_image(case.image)
    answer = predictor.predict(
        [prompt.text for prompt in prompts],
        [prompt.class_id for prompt in prompts],
        governor,
    )
    report.seconds.update(answer.seconds)
    report.coarse_only = [prompts[number].class_id for number in answer.unrefined]
    report.warnings += (*answer.warnings, *governor.dropped(len(answer.unrefined)))
    shape = (case.image.shape[0], case.image.shape[1], case.image.shape[2])
    start = time.perf_counter()
    labels, warnings = draw_labels(answer.views, shape)
    report.warnings += warnings
    if case.instance:
        instances = predictor.separate_objects(labels > 0, case.spacing, governor)
        labels = _instance_labels(instances, report, options)
        found = {prompts[0].class_id: int(np.count_nonzero(instances.labels))}
        report.instances = instances.count
    else:
        found = count_voxels(labels)
    report.lap("labels", start)
    governor.observe("labels", report.seconds["labels"])
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
        report.output_sha256 = file_sha256(output)
        report.errors.append("an all-background output was written instead")
    except Exception as error:  # zipfile answers a lack of memory with a ValueError
        report.errors.append(f"no output could be written: {_first_line(error)}")
        if output.exists():
            report.warnings.append(f"{output.name} is of an earlier run")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]
