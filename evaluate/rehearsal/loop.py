"""The organizers' loop: one case at a time, alone in its folders, timed from outside."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluate.cases import CaseInfo, read_info, read_shape
from evaluate.rehearsal.contract import check_output
from evaluate.rehearsal.runners import Outcome, Runner
from evaluate.scores import SECONDS_PER_CLASS
from predict.errors import CaseError, UsageError

PATIENCE = 2.0
NETWORK = ("resize", "encode_image", "encode_text", "decode")
FILES = ("read", "write")
STAGES = ("container", "process", "imports", "weights", "network", "labels", "files", "other")


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """One case.

    Attributes:
        case: File name without its ending.
        classes: Prompts.
        seconds: Wall time from outside.
        stages: Where it went, see STAGES; ``container`` is what lies outside of the process,
            ``other`` what the report does not name. Empty without a report.
        peak_memory_mb: Largest resident size of the process; None without a report.
        problems: What the organizers' script would trip over, or what they would punish.
        notes: What they ignore: exit status and message of a failed process.
    """

    case: str
    classes: int
    seconds: float
    stages: Mapping[str, float]
    peak_memory_mb: float | None
    problems: Sequence[str]
    notes: Sequence[str]

    @property
    def seconds_per_class(self) -> float:
        """What the limit is about."""
        return self.seconds / max(1, self.classes)


def rehearse(runner: Runner, sources: Sequence[Path], outputs: Path) -> Iterator[Rehearsed]:
    """Predict and check every case; its output file is kept in ``outputs``.

    Raises:
        UsageError: An input is not a case.
    """
    for source in sources:
        try:
            info, shape = read_info(source), read_shape(source, "imgs")
        except CaseError as error:
            raise UsageError(f"{source}: {error}") from error
        allowed = SECONDS_PER_CLASS * max(1, len(info.prompts))
        with tempfile.TemporaryDirectory(prefix="rehearsal-") as name:
            inside, produced = _make_folders(Path(name))
            shutil.copy(source, inside)
            outcome = runner.run(inside, produced, PATIENCE * allowed)
            problems = check_output(produced / source.name, shape, info)
            report = _read_report(produced / "report.json")
            if (produced / source.name).is_file():
                shutil.move(produced / source.name, outputs / source.name)
        yield _describe(info, outcome, allowed, report, problems)


def _make_folders(root: Path) -> tuple[Path, Path]:
    """Inputs and outputs that everyone may read and write, as the organizers make them."""
    root.chmod(0o777)
    folders = root / "inputs", root / "outputs"
    for folder in folders:
        folder.mkdir()
        folder.chmod(0o777)
    return folders


def _describe(
    info: CaseInfo,
    outcome: Outcome,
    allowed: float,
    report: Mapping[str, Any],
    problems: Sequence[str],
) -> Rehearsed:
    limit = f"{allowed:g} s ({SECONDS_PER_CLASS:g} s per class)"
    late = [f"expected at most {limit}, took {outcome.seconds:.1f} s"]
    notes = []
    if outcome.exit_status is None:
        notes.append(f"stopped after {outcome.seconds:.0f} s")
    elif outcome.exit_status:
        notes.append(f"exit status {outcome.exit_status}: {outcome.message}")
    return Rehearsed(
        case=info.name,
        classes=len(info.prompts),
        seconds=outcome.seconds,
        stages=_stages(report, outcome.seconds) if report else {},
        peak_memory_mb=report["cases"][0]["peak_memory_mb"] if report else None,
        problems=[*problems, *(late if outcome.seconds > allowed else [])],
        notes=notes,
    )


def _stages(report: Mapping[str, Any], seconds: float) -> dict[str, float]:
    spent: Mapping[str, float] = report["cases"][0]["seconds"]
    stages = {
        "container": seconds - report["seconds"],
        **report["startup"],
        "network": sum(spent.get(stage, 0.0) for stage in NETWORK),
        "labels": spent.get("labels", 0.0),
        "files": sum(spent.get(stage, 0.0) for stage in FILES),
    }
    stages["other"] = seconds - sum(stages.values())
    return {stage: stages[stage] for stage in STAGES}


def _read_report(path: Path) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return report
