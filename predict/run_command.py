"""``python -m predict run``: a folder of the challenge's npz files in, masks and a report out."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from predict.defaults import DEFAULT_BUNDLE
from predict.exit_status import EPILOG, GOOD, SOME_FAILED

if TYPE_CHECKING:
    import numpy as np

    from predict.cases import Case
    from predict.predictor import ImagePredictor
    from predict.report import CaseReport
    from predict.startup import StartUp


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register ``run``."""
    parser = commands.add_parser("run", help="segment every npz of a folder", epilog=EPILOG)
    parser.set_defaults(command=run)
    parser.add_argument("inputs", type=Path, help="folder of *.npz (imgs, spacing, text_prompts)")
    parser.add_argument("outputs", type=Path, help="folder for the masks and report.json")
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE, help="default: %(default)s")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.add_argument("--batch-size", type=_positive, help="prompts at once (default: what fits)")
    parser.add_argument("--skip-existing", action="store_true", help="leave finished cases alone")
    parser.add_argument(
        "--part", metavar="I/N", help="only the Ith of N shares of the folder, with its own report"
    )
    parser.add_argument("--previews", action="store_true", help="draw a picture of every case")
    parser.add_argument(
        "--all-instances", action="store_true", help="all instance ids as int32, not 255 as uint8"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command and return the exit status."""
    from predict.interrupts import Interrupts
    from predict.startup import StartUp

    startup = StartUp()
    with Interrupts() as interrupts:
        try:
            return _predict(options, startup)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return interrupts.status


def _predict(options: argparse.Namespace, startup: StartUp) -> int:
    """Predict what the options ask for, and report it.

    Raises:
        KeyboardInterrupt: Interrupted; what was finished is reported.
    """
    from predict.npz import list_cases
    from predict.parts import Part, deal, file_sizes, listing_digest
    from predict.writable import make_output_folder

    part = None if options.part is None else Part.parse(options.part)
    sources = list_cases(options.inputs)
    more: dict[str, object] = {}
    if part is not None:
        sizes = file_sizes(sources)
        sources = deal(sizes, part.count)[part.number - 1]
        more = {"part": str(part), "listing_sha256": listing_digest(sizes)}
    make_output_folder(options.outputs)

    from predict.bundle import load_bundle
    from predict.predictor import ImagePredictor, choose_device
    from predict.report import NAME, format_table, write_report

    startup.lap("imports")
    device = choose_device(options.device)
    bundle = load_bundle(options.bundle)
    predictor = ImagePredictor(bundle, device, batch_size=options.batch_size)
    startup.lap("weights")
    reports: list[CaseReport] = []
    start = time.perf_counter()
    try:
        _predict_cases(predictor, sources, options, reports)
    finally:
        more["wall_seconds"] = round(time.perf_counter() - start, 4)
        more["unfinished"] = len(sources) - len(reports)
        print(format_table(reports))
        written = write_report(
            options.outputs,
            reports,
            device=device,
            precision=predictor.precision,
            bundle=str(options.bundle),
            bundle_sha256=bundle.sha256,
            startup=startup,
            name=NAME if part is None else part.report_name,
            more=more,
        )
        print(f"masks: {options.outputs}   report: {written}")
    return GOOD if all(report.good for report in reports) else SOME_FAILED


def _predict_cases(
    predictor: ImagePredictor,
    sources: Sequence[Path],
    options: argparse.Namespace,
    reports: list[CaseReport],
) -> None:
    """Predict and report case by case, with a bar and a line for each that failed."""
    from tqdm import tqdm

    from predict.folder import Options, predict_folder

    wishes = Options(
        skip_existing=options.skip_existing,
        all_instances=options.all_instances,
        preview=_preview_writer(options.outputs) if options.previews else None,
    )
    with tqdm(total=len(sources), unit="case", disable=len(sources) < 2, mininterval=1) as bar:

        def done(report: CaseReport) -> None:
            reports.append(report)
            if not report.good:
                tqdm.write(f"{report.status}: {report.errors[0]}", file=sys.stderr)
            bar.update()

        try:
            predict_folder(predictor, sources, options.outputs, wishes, done)
        except KeyboardInterrupt:
            tqdm.write(
                f"{len(reports)} of {len(sources)} cases are done, none is half written; "
                "the same command with --skip-existing goes on",
                file=sys.stderr,
            )
            raise


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, received {text}")
    return value


def _preview_writer(outputs: Path) -> Callable[[Case, np.ndarray], Path]:
    from predict.sheet import scene_of_case, write_sheet

    folder = outputs / "previews"
    return lambda case, labels: write_sheet(
        scene_of_case(case, labels), folder / f"{case.name}.png"
    )
