"""One run of the prediction in a process of its own, seen from outside and by its report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a run did.

    Attributes:
        status: Exit status, negative for a signal.
        seconds: Wall time.
        peak: Largest resident size in bytes.
        case: The report's entry of its only case; empty without a report.
        message: Last line of stderr.
    """

    status: int
    seconds: float
    peak: int
    case: dict[str, Any]
    message: str


def predict_one(
    inputs: Path, outputs: Path, options: Sequence[str], *, within: Sequence[str] = ()
) -> Seen:
    """Run ``python -m predict run`` on a folder with one case.

    Args:
        inputs: The folder.
        outputs: Folder to write; stderr goes to log.txt in it.
        options: Further options.
        within: Beginning of the command line.
    """
    outputs.mkdir(parents=True, exist_ok=True)
    report = outputs / "report.json"
    report.unlink(missing_ok=True)
    command = [*within, sys.executable, "-m", "predict", "run", str(inputs), str(outputs), *options]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    start = time.monotonic()
    log = outputs / "log.txt"
    with log.open("w") as errors:
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Seen(
        status=process.returncode,
        seconds=time.monotonic() - start,
        peak=usage.ru_maxrss * 1024,
        case=json.loads(report.read_text())["cases"][0] if report.exists() else {},
        message=(log.read_text().splitlines() or [""])[-1],
    )
