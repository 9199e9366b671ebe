"""Command line of evaluation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evaluate.bench import command as bench_command
from evaluate.limits import command as limits_command
from predict.errors import CaseError, UsageError
from predict.exit_status import GOOD, SOME_FAILED, WRONG_CALL
from predict.writable import make_output_folder

if TYPE_CHECKING:
    from evaluate.folder import Folders
    from evaluate.rehearsal.runners import Runner
    from evaluate.scores import CaseScore, Unscored
    from evaluate.tables import Table

EPILOG = (
    "exit status: 0 every case was scored; 1 some prediction is unusable or late and scored 0, or "
    "a case could not be scored; 2 wrong call."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except (UsageError, CaseError) as error:
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
    _add_rehearse(commands)
    _add_probe(commands)
    bench_command.add_command(commands)
    limits_command.add_commands(commands)
    _add_soak(commands)
    return parser


def _add_rehearse(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    rehearse = commands.add_parser(
        "rehearse",
        help="predict every case in a fresh container as the organizers do, time and check it",
        epilog="exit status: 0 every case keeps the contract; 1 some case does not; 2 wrong call.",
    )
    rehearse.add_argument("--inputs", type=Path, required=True, help="folder of NAME.npz")
    rehearse.add_argument(
        "--outputs", type=Path, required=True, help="folder for the masks and rehearsal.json"
    )
    rehearse.add_argument("--image", default="text3dsam:latest", help="default: %(default)s")
    rehearse.add_argument("--engine", help="docker or podman (default: the one that answers)")
    rehearse.add_argument(
        "--no-container", action="store_true", help="run predict.sh in a fresh process instead"
    )
    rehearse.add_argument("--ground-truth", type=Path, help="folder of NAME.npz (gts): also score")
    rehearse.add_argument("--limit", type=int, help="only the first cases, by name")
    rehearse.set_defaults(command=_rehearse)


def _add_probe(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    probe = commands.add_parser(
        "probe", help="does wording matter, and is what is not there left alone?"
    )
    steps = probe.add_subparsers(metavar="STEP", required=True)
    make = steps.add_parser("make", help="write cases with reworded and absent prompts")
    make.add_argument("--inputs", type=Path, required=True, help="folder of NAME.npz")
    make.add_argument("--out", type=Path, required=True, help="folder to write; predict it next")
    make.set_defaults(command=_make_probes)
    score = steps.add_parser("score", help="score their predictions")
    score.add_argument("--probes", type=Path, required=True, help="what `probe make` wrote")
    score.add_argument("--predictions", type=Path, required=True, help="folder of NAME.npz (segs)")
    score.set_defaults(command=_score_probes)
    for step in (make, score):
        step.add_argument(
            "--provenance", type=Path, required=True, help="JSON with class names of the cases"
        )


def _add_soak(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    soak = commands.add_parser(
        "soak",
        help="segment many cases, some broken, in one process: are memory, files and pace kept?",
        epilog="exit status: 0 every bound is kept; 1 some is not; 2 wrong call.",
    )
    soak.add_argument("--cases", type=int, default=1000, help="default: %(default)s")
    soak.add_argument("--out", type=Path, required=True, help="folder for soak.md and soak.csv")
    soak.add_argument("--bundle", type=Path, help="default: the shipped one")
    soak.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    soak.set_defaults(command=_soak)


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
        make_output_folder(options.out)
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


def _rehearse(options: argparse.Namespace) -> int:
    from evaluate.rehearsal.loop import rehearse
    from evaluate.rehearsal.table import format_rehearsal, write_rehearsal
    from predict.npz import list_cases

    sources = list_cases(options.inputs)[: options.limit]
    runner = _make_runner(options)
    make_output_folder(options.outputs)
    cases = []
    for case in rehearse(runner, sources, options.outputs):
        print(f"{case.case}: {case.seconds:.1f} s", file=sys.stderr)
        cases.append(case)
    write_rehearsal(options.outputs / "rehearsal.json", cases, str(runner))
    print(format_rehearsal(cases))
    if options.ground_truth:
        _print_scores(options)
    return SOME_FAILED if any(case.problems for case in cases) else GOOD


def _make_runner(options: argparse.Namespace) -> Runner:
    from evaluate.rehearsal.runners import (
        ContainerRunner,
        ProcessRunner,
        find_engine,
        find_image,
        has_gpu,
    )

    if options.no_container:
        return ProcessRunner()
    engine = find_engine(options.engine)
    find_image(engine, options.image)
    return ContainerRunner(engine=engine, image=options.image, gpu=has_gpu())


def _print_scores(options: argparse.Namespace) -> None:
    """Averages of what was rehearsed, with the default rules."""
    from evaluate.folder import Folders, Options, score_folder
    from evaluate.report import format_problems, format_tables
    from evaluate.scores import CaseScore, Unscored
    from evaluate.sidecars import read_seconds
    from evaluate.tables import make_tables

    folders = Folders(
        predictions=options.outputs, truths=options.ground_truth, inputs=options.inputs
    )
    seconds = read_seconds(options.outputs / "rehearsal.json")
    results = list(score_folder(folders, Options(seconds=seconds), cases=seconds))
    scores = [result for result in results if isinstance(result, CaseScore)]
    unscored = [result for result in results if isinstance(result, Unscored)]
    print("\n".join(("", format_tables(make_tables(scores), brief=True))))
    print(format_problems(scores, unscored))


def _make_probes(options: argparse.Namespace) -> int:
    from evaluate.probes.make import make_probes
    from evaluate.sidecars import read_groups

    written = make_probes(options.inputs, read_groups(options.provenance), options.out)
    print(f"{len(written)} probes in {options.out}: predict them, then `probe score`")
    return GOOD


def _score_probes(options: argparse.Namespace) -> int:
    from evaluate.probes.score import format_probes, score_probes
    from evaluate.sidecars import read_groups

    groups = read_groups(options.provenance)
    print(format_probes(score_probes(options.probes, options.predictions, groups)))
    return GOOD


def _soak(options: argparse.Namespace) -> int:
    from evaluate.soak.run import format_findings, soak

    make_output_folder(options.out)
    further = [f"--device={options.device}"]
    if options.bundle:
        further.append(f"--bundle={options.bundle}")
    findings = soak(options.out, options.cases, further)
    print(format_findings(findings))
    return GOOD if all(finding.held for finding in findings) else SOME_FAILED


def _rules(options: argparse.Namespace) -> str:
    return "official" if options.official else "default"


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
