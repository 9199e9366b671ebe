"""The product's own process, and where its time goes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluate.bench.process import Spent
from predict.errors import UsageError

NAMES = {
    "process": "interpreter",
    "encode_image": "encode",
    "encode_text": "text",
}
FILES = ("read", "write")


def predict_command(inputs: Path, outputs: Path, bundle: Path, device: str) -> list[str]:
    """Command line of a prediction of a folder."""
    folders = (str(path.resolve()) for path in (inputs, outputs))
    options = ("--bundle", str(bundle.resolve()), "--device", device)
    return [sys.executable, "-m", "predict", "run", *folders, *options]


def stages_of(report: Mapping[str, Any], spent: Spent) -> dict[str, float]:
    """Seconds by stage, summed over the cases.

    ``teardown`` is the whole minus all stages: what the report does not name, writing it, and the
    end of the interpreter. Where stages of several cases overlap it can be negative.

    Raises:
        UsageError: Not a report of a prediction.
    """
    stages: dict[str, float] = {}
    try:
        parts = [report["startup"], *(case["seconds"] for case in report["cases"])]
        for part in parts:
            for name, seconds in part.items():
                if name != "total":
                    stage = NAMES.get(name, name)
                    stages[stage] = stages.get(stage, 0.0) + float(seconds)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"report.json: expected startup and cases with seconds ({error})"
        ) from error
    stages["teardown"] = spent.seconds - sum(stages.values())
    return stages


def start_seconds(report: Mapping[str, Any]) -> float:
    """Seconds from the start of the process to the first byte of work."""
    return sum(float(value) for value in report["startup"].values())


def slowest_stages(report: Mapping[str, Any]) -> float:
    """Sum over the cases of the slowest of reading, computing and writing, in seconds.

    A folder cannot be done in less once these three overlap, one worker for each.
    """
    total = 0.0
    for case in report["cases"]:
        spent: Mapping[str, float] = case["seconds"]
        files = [spent.get(stage, 0.0) for stage in FILES]
        computing = sum(v for k, v in spent.items() if k not in (*FILES, "total"))
        total += max(*files, computing)
    return total
