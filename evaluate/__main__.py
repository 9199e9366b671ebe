"""``python -m evaluate dice``: a Dice table of predictions against ground truth."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from evaluate.dice import CaseScore, by_group, score_folder
from predict.errors import CaseError
from predict.npz import read_case


def main() -> int:
    """Print the table; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m evaluate", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    table = commands.add_parser("dice", help="Dice by data set, and their mean")
    table.add_argument("--predictions", type=Path, required=True, help="folder of NAME.npz (segs)")
    table.add_argument("--ground-truth", type=Path, required=True, help="folder of NAME.npz (gts)")
    table.add_argument("--inputs", type=Path, required=True, help="folder with the prompts")
    table.add_argument(
        "--provenance", type=Path, help="JSON with the data set of every case; else from its name"
    )
    table.add_argument("--classes", action="store_true", help="one row per class as well")
    options = parser.parse_args()
    scores = score_folder(
        options.predictions,
        options.ground_truth,
        lambda path: _prompts(options.inputs / path.name),
    )
    if not scores:
        print(f"error: no ground truth to score in {options.ground_truth}", file=sys.stderr)
        return 2
    print(format_table(scores, _datasets(options.provenance), with_classes=options.classes))
    return 0


def format_table(
    scores: list[CaseScore], datasets: Mapping[str, str], *, with_classes: bool = False
) -> str:
    """Markdown table: data set, cases, mean Dice, worst case; then both kinds of average."""
    groups = by_group(scores, lambda score: datasets.get(score.case) or _prefix(score.case))
    rows = ["| data set | cases | Dice | worst case |", "| --- | ---: | ---: | ---: |"]
    for name, members in groups.items():
        means = [score.mean for score in members]
        rows.append(f"| {name} | {len(members)} | {fmean(means):.3f} | {min(means):.3f} |")
        if with_classes:
            for class_id in sorted({c for score in members for c in score.classes}):
                values = [s.classes[class_id] for s in members if class_id in s.classes]
                rows.append(
                    f"| &nbsp; class {class_id} | {len(values)} | {fmean(values):.3f} "
                    f"| {min(values):.3f} |"
                )
    macro = fmean(fmean(score.mean for score in members) for members in groups.values())
    overall = fmean(score.mean for score in scores)
    rows.append(f"| **mean over data sets** | {len(groups)} | **{macro:.3f}** | |")
    rows.append(f"| mean over cases | {len(scores)} | {overall:.3f} | |")
    rows += [f"\n{score.case}: scored 0 ({score.problem})" for score in scores if score.problem]
    return "\n".join(rows)


def _prompts(path: Path) -> tuple[tuple[int, ...], bool]:
    try:
        case = read_case(path)
    except CaseError as error:
        print(f"warning: {error}", file=sys.stderr)
        return (), False
    return tuple(prompt.class_id for prompt in case.prompts), case.instance


def _datasets(provenance: Path | None) -> dict[str, str]:
    if provenance is None:
        return {}
    splits = json.loads(provenance.read_text(encoding="utf-8"))
    return {name: case["dataset"] for split in splits.values() for name, case in split.items()}


def _prefix(case: str) -> str:
    return "_".join(case.split("_")[:2])


if __name__ == "__main__":
    sys.exit(main())
