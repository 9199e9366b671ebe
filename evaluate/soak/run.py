"""Segment a thousand generated cases in one process and watch it."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from evaluate.soak.bounds import Finding, judge
from evaluate.soak.cases import plan_cases, write_case
from evaluate.soak.watch import Sample, leftovers, watch
from predict.errors import UsageError

PREFIX = "soak-"


def soak(folder: Path, count: int, options: Sequence[str] = ()) -> list[Finding]:
    """Write the cases, segment them, judge; inputs and outputs are removed, the samples stay.

    Args:
        folder: Where to work; gets soak.csv (the samples) and soak.md (the findings).
        count: Cases after the warm-up.
        options: Of ``python -m predict run``.

    Raises:
        UsageError: The run ended otherwise than one with some broken cases does.
    """
    inputs, outputs, temporary = (folder / f"{PREFIX}{n}" for n in ("in", "out", "tmp"))
    for path in (inputs, outputs, temporary):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
    plan = plan_cases(count)
    for planned in plan:
        write_case(planned, inputs)
    with (folder / "soak.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "predict", "run", str(inputs), str(outputs), *options],
            env={"OMP_NUM_THREADS": "1", **os.environ, "TMPDIR": str(temporary)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        samples = list(watch(process, outputs))
    if process.wait() != 1:
        raise UsageError(f"soak: expected exit status 1, received {process.returncode}: soak.log")
    _write_samples(folder / "soak.csv", samples)
    cases = json.loads((outputs / "report.json").read_text(encoding="utf-8"))["cases"]
    findings = judge(
        plan,
        {case["case"]: case["status"] for case in cases},
        [path.name for path in outputs.glob("*.npz")],
        samples,
        leftovers([outputs]) + [path.name for path in temporary.iterdir()],
    )
    (folder / "soak.md").write_text(format_findings(findings) + "\n", encoding="utf-8")
    for path in (inputs, outputs, temporary):
        shutil.rmtree(path)
    return findings


def format_findings(findings: Sequence[Finding]) -> str:
    """A Markdown table."""
    rows = ["| promise | measured | bound | held |", "| --- | --- | --- | --- |"]
    rows += [
        f"| {f.what} | {f.measured} | {f.bound} | {'yes' if f.held else 'NO'} |" for f in findings
    ]
    return "\n".join(rows)


def _write_samples(path: Path, samples: Sequence[Sample]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(asdict(samples[0])) if samples else [])
        writer.writeheader()
        writer.writerows(asdict(sample) for sample in samples)
