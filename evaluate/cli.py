"""Command line of evaluation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from predict.errors import UsageError

if TYPE_CHECKING:
    from evaluate.folder import Folders
    from evaluate.scores import CaseScore, Unscored
    from evaluate.tables import Table

GOOD, SOME_FAILED, WRONG_CALL = 0, 1, 2
EPILOG = (
    "exit status: 0 every case was scored; 1 some prediction is unusable or late and scored 0, or "
    "a case could not be scored; 2 wrong call."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_CALL


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evaluate", description="The challenge's metrics and reports of them."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    score = commands.add_parser("score", help="score a folder of predictions", epilog=EPILOG)
    score.add_argument("--predictions", type=Path, required=True, help="folder of NAME.npz (segs)")
    score.add_argument("--ground-truth", type=Path, required=True, help="folder of NAME.npz (gts)")
    score.add_argument(
        "--inputs", type=Path, required=True, help="folder of NAME.npz (spacing, text_prompts)"
    )
    score.add_argument(
        "--official", action="store_true", help="exactly as the official script, quirks included"
    )
    score.add_argument("--no-nsd", action="store_true", help="leave out the NSD, which is slower")
    score.add_argument("--times", type=Path, help="report.json of the run, or {case: seconds}")
    score.add_argument(
        "--provenance", type=Path, help="JSON with data set, modality and subject of the cases"
    )
    score.add_argument("--out", type=Path, help="folder for scores.csv, scores.md, scores.html")
    score.add_argument("--json", action="store_true", help="print JSON, for programs")
    score.set_defaults(command=_score)
    return parser


def _score(options: argparse.Namespace) -> int:
    from evaluate.folder import Folders, Options, score_folder
    from evaluate.report import format_problems, format_tables, to_json
    from evaluate.scores import CaseScore, Unscored
    from evaluate.sidecars import read_groups, read_seconds
    from evaluate.tables import make_tables

    folders = Folders(
        predictions=options.predictions, truths=options.ground_truth, inputs=options.inputs
    )
    scoring = Options(
        official=options.official,
        surfaces=not options.no_nsd,
        seconds=read_seconds(options.times) if options.times else {},
        groups=read_groups(options.provenance) if options.provenance else {},
    )
    if options.out:
        _make_folder(options.out)
    results = list(score_folder(folders, scoring))
    scores = [result for result in results if isinstance(result, CaseScore)]
    unscored = [result for result in results if isinstance(result, Unscored)]
    tables = make_tables(scores)
    problems = format_problems(scores, unscored)
    if options.out:
        _write_report(options, folders, tables, scores, unscored)
    if options.json:
        print(to_json(tables, scores, unscored, rules=_rules(options)))
    else:
        print("\n\n".join(filter(None, (format_tables(tables, brief=True), problems))))
    return SOME_FAILED if problems else GOOD


def _rules(options: argparse.Namespace) -> str:
    return "official" if options.official else "default"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"output folder {folder}: not writable ({error.strerror})") from error


def _write_report(
    options: argparse.Namespace,
    folders: Folders,
    tables: Sequence[Table],
    scores: Sequence[CaseScore],
    unscored: Sequence[Unscored],
) -> None:
    from evaluate.page import make_page
    from evaluate.pictures import draw_case
    from evaluate.report import format_problems, format_tables, write_csv

    write_csv(options.out / "scores.csv", scores, official=options.official)
    text = "\n\n".join(filter(None, (format_tables(tables), format_problems(scores, unscored))))
    (options.out / "scores.md").write_text(text + "\n", encoding="utf-8")
    pictures = {score.case: draw_case(folders, score.case) for score in scores}
    page = make_page(
        tables,
        scores,
        unscored,
        rules=_rules(options),
        pictures={case: picture for case, picture in pictures.items() if picture},
    )
    (options.out / "scores.html").write_text(page, encoding="utf-8")
