"""Predict the cases of a report again and compare the masks with those of then."""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from predict.errors import UsageError
from predict.folder import Options, predict_case
from predict.hashing import file_sha256
from predict.json_files import read_json_table
from predict.predictor import ImagePredictor
from predict.report import device_name, versions

Outcome = Literal["identical", "differs", "input changed", "input missing", "not recorded"]
MOST_THREADS = 1024
SETTINGS = ("inputs", "outputs", "bundle", "batch_size", "all_instances", "deterministic")


@dataclass(frozen=True)
class Replayed:
    """How a case came out the second time.

    Attributes:
        outcome: ``identical`` is meant for the masks; the files are too unless ``detail`` says so.
        voxels: How many differ; None where there was nothing to count.
        total: Voxels of the case.
        dice: Where voxels differ, of each class in either mask; of an instance case the
            foreground's, under 1.
        detail: What else there is to say, in one line.
    """

    case: str
    outcome: Outcome
    voxels: int | None = None
    total: int | None = None
    dice: Mapping[int, float] = field(default_factory=dict)
    detail: str = ""

    def good(self, tolerance: float) -> bool:
        """Whether at most ``tolerance`` voxels per million differ, or nothing was recorded."""
        if self.outcome == "differs" and self.voxels is not None and self.total:
            return 1e6 * self.voxels / self.total <= tolerance
        return self.outcome in ("identical", "not recorded")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Recorded:
    """A run as its report tells it.

    Attributes:
        inputs: Folder of the cases.
        outputs: Folder of the masks.
        bundle: Folder of the weights.
        settings: What else was asked for.
        report: All of the report.
    """

    inputs: Path
    outputs: Path
    bundle: Path
    settings: Mapping[str, Any]
    report: Mapping[str, Any]


def settings_of_run(options: argparse.Namespace) -> dict[str, Any]:
    """What a report must hold of the options of ``run`` so that it can be replayed."""
    values = {name: getattr(options, name) for name in SETTINGS}
    return {k: str(v.resolve()) if isinstance(v, Path) else v for k, v in values.items()}


def read_recorded(path: Path) -> Recorded:
    """Read the report of ``run``.

    Raises:
        UsageError: It cannot be read, or it does not tell how the run was done.
    """
    report = read_json_table(path)
    settings, cases = report.get("run"), report.get("cases")
    if not isinstance(settings, dict) or not set(SETTINGS) <= set(settings):
        raise UsageError(
            f"{path}: expected the report of `python -m predict run`, received one that does not "
            "tell how the run was done"
        )
    if not isinstance(cases, list) or not all(isinstance(c, dict) and "case" in c for c in cases):
        raise UsageError(f"{path}: expected a list of cases, received something else")
    inputs, outputs, bundle = (Path(settings[name]) for name in ("inputs", "outputs", "bundle"))
    return Recorded(inputs, outputs, bundle, settings, report)


def differences_of_machine(
    report: Mapping[str, Any], predictor: ImagePredictor, bundle_sha256: str
) -> list[str]:
    """What is not as it was, one line each: bundle, device, precision, processor, versions."""
    now = {
        "bundle": bundle_sha256,
        "device": device_name(predictor.device),
        "precision": str(predictor.precision).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        **versions(predictor.device),
    }
    then = {**report, "bundle": report.get("bundle_sha256"), **report.get("versions", {})}
    return [f"{k} differs: {then.get(k)} then, {v} now" for k, v in now.items() if then.get(k) != v]


@contextmanager
def use_threads(count: object) -> Iterator[None]:
    """Compute with so many threads, if that is a number of threads, and with as many as before
    afterwards.
    """
    before = torch.get_num_threads()
    if isinstance(count, int) and 1 <= count <= MOST_THREADS:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def replay_cases(recorded: Recorded, predictor: ImagePredictor, folder: Path) -> Iterator[Replayed]:
    """Predict every case into another folder and compare.

    Args:
        recorded: The run.
        predictor: With its bundle, set up alike.
        folder: For the masks of now.
    """
    options = Options(all_instances=bool(recorded.settings["all_instances"]))
    for case in recorded.report["cases"]:
        name, stated = str(case["case"]), case.get("output_sha256")
        source = recorded.inputs / Path(name).name
        if stated is None:
            yield Replayed(name, "not recorded", detail=f"no mask was made then: {case['status']}")
        elif not source.is_file():
            yield Replayed(name, "input missing", detail=f"expected {source}")
        elif case.get("input_sha256") not in (None, file_sha256(source)):
            yield Replayed(name, "input changed", detail=f"{source} is another file than then")
        else:
            output = folder / source.name
            report = predict_case(predictor, source, output, options)
            before = recorded.outputs / source.name
            instance = report.instances is not None
            yield _compare(name, before, stated, output, report.output_sha256, instance)
            output.unlink(missing_ok=True)


def count_differences(
    before: np.ndarray, after: np.ndarray, *, instance: bool
) -> tuple[int, dict[int, float]]:
    """Voxels that differ, and the Dice of each class where any do.

    Args:
        before: (D, H, W) ids.
        after: The same shape.
        instance: Ids tell objects, not classes: only the foreground is compared by Dice.
    """
    voxels = int(np.count_nonzero(before != after))
    if voxels == 0:
        return 0, {}
    if instance:
        before, after = before > 0, after > 0
    ids = np.union1d(np.unique(before), np.unique(after))
    scores = {}
    for i in (int(i) for i in ids if i):
        a, b = before == i, after == i
        sizes = np.count_nonzero(a) + np.count_nonzero(b)
        scores[i] = float(2 * np.count_nonzero(a & b) / sizes)
    return voxels, scores


def _compare(
    name: str, before: Path, stated: str, after: Path, found: str | None, instance: bool
) -> Replayed:
    """Hashes first; only where they differ the masks."""
    if found == stated:
        return Replayed(name, "identical", voxels=0)
    if found is None:
        return Replayed(name, "differs", detail="no mask could be made now")
    if file_sha256(before) != stated:
        state = "is another file than then" if before.exists() else "is gone"
        return Replayed(name, "differs", detail=f"{before} {state}: no voxels to count")
    try:
        then, now = _labels(before), _labels(after)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        return Replayed(name, "differs", detail=f"a mask cannot be read: {error}")
    if then.shape != now.shape:
        return Replayed(name, "differs", detail=f"shape {then.shape} then, {now.shape} now")
    voxels, dice = count_differences(then, now, instance=instance)
    if voxels == 0:
        detail = "same mask, its file is packed differently"
        return Replayed(name, "identical", 0, then.size, detail=detail)
    return Replayed(name, "differs", voxels, then.size, dice)


def _labels(path: Path) -> np.ndarray:
    with np.load(path, allow_pickle=False) as arrays:
        return np.asarray(arrays["segs"])


def format_replay(cases: Sequence[Replayed]) -> str:
    """A line per case."""
    width = max((len(case.case) for case in cases), default=0)
    return "\n".join(f"{case.case.ljust(width)}  {_words(case)}".rstrip() for case in cases)


def _words(case: Replayed) -> str:
    words = str(case.outcome)
    if case.voxels and case.total:
        share = 1e6 * case.voxels / case.total
        words += f" by {case.voxels} of {case.total} voxels ({share:.3g} per million)"
    if case.dice:
        words += "; Dice " + ", ".join(f"{i}: {value:.4f}" for i, value in case.dice.items())
    return f"{words}: {case.detail}" if case.detail else words
