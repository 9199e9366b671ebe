"""``python -m predict merge-reports``: the reports of all parts of a folder as one."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from predict.errors import UsageError
from predict.exit_status import GOOD, SOME_FAILED
from predict.json_files import read_json_table

PART_NAME = re.compile(r"report\.part-([0-9]{3,})-of-([0-9]{3,})\.json")


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register ``merge-reports``."""
    parser = commands.add_parser(
        "merge-reports",
        help="one report.json of those of all parts",
        description="Make report.json of the report.part-I-of-N.json that run --part has written.",
        epilog="exit status: 0 all cases of all parts good; 1 some failed or are missing; 2 a part "
        "has no report, or they are not of one run",
    )
    parser.add_argument("outputs", type=Path, help="folder of outputs that the parts shared")
    parser.set_defaults(command=merge)


def merge(options: argparse.Namespace) -> int:
    """Run the command and return the exit status."""
    from predict.report import NAME, save_report

    merged = merge_reports(_read_parts(options.outputs))
    written = save_report(options.outputs / NAME, merged)
    cases = merged["cases"]
    bad = [case for case in cases if case["status"] not in ("ok", "skipped")]
    for case in bad:
        print(f"{case['status']}: {case['errors'][0]}", file=sys.stderr)
    print(f"{len(cases)} cases, {len(bad)} failed, {merged['unfinished']} unfinished: {written}")
    return SOME_FAILED if bad or merged["unfinished"] else GOOD


def merge_reports(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One report of those of all parts, cases sorted by name.

    ``seconds`` are summed up; ``wall_seconds`` are those of the slowest part.

    Raises:
        UsageError: The parts used different bundles, or did not see the same files.
    """
    for key, what in (("bundle_sha256", "bundle"), ("listing_sha256", "input files")):
        if len({part[key] for part in parts}) > 1:
            raise UsageError(f"expected parts with the same {what}, received different {what}")
    first = parts[0]
    own = ("part", "startup", "cases")
    return {
        **{key: value for key, value in first.items() if key not in own},
        "device": ", ".join(sorted({part["device"] for part in parts})),
        "seconds": round(sum(part["seconds"] for part in parts), 4),
        "wall_seconds": max(part["wall_seconds"] for part in parts),
        "unfinished": sum(part["unfinished"] for part in parts),
        "parts": len(parts),
        "cases": sorted((c for part in parts for c in part["cases"]), key=lambda c: str(c["case"])),
    }


def _read_parts(folder: Path) -> list[dict[str, Any]]:
    found = {
        (int(match[1]), int(match[2])): path
        for path in sorted(folder.glob("report.part-*.json"))
        if (match := PART_NAME.fullmatch(path.name))
    }
    counts = {count for _, count in found}
    if len(counts) != 1:
        received = ", ".join(f"of {count}" for count in sorted(counts)) or "none"
        raise UsageError(f"{folder}: expected reports of parts of one run, received {received}")
    (count,) = counts
    missing = [str(number) for number in range(1, count + 1) if (number, count) not in found]
    if missing:
        shown = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
        raise UsageError(f"{folder}: expected {count} reports, missing those of parts {shown}")
    return [read_json_table(path) for path in found.values()]
