"""``python -m predict run``: a folder of the challenge's npz files in, masks and a report out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from predict.defaults import DEFAULT_BUNDLE
from predict.exit_status import EPILOG, GOOD, SOME_FAILED

if TYPE_CHECKING:
    import numpy as np

    from predict.cases import Case
    from predict.report import CaseReport


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
    parser.add_argument("--previews", action="store_true", help="draw a picture of every case")
    parser.add_argument(
        "--all-instances", action="store_true", help="all instance ids as int32, not 255 as uint8"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command and return the exit status."""
    from predict.npz import list_cases
    from predict.startup import StartUp
    from predict.writable import make_output_folder

    startup = StartUp()
    sources = list_cases(options.inputs)
    make_output_folder(options.outputs)

    from tqdm import tqdm

    from predict.bundle import load_bundle
    from predict.folder import Options, predict_case
    from predict.predictor import ImagePredictor, choose_device
    from predict.report import format_table, write_report

    startup.lap("imports")
    device = choose_device(options.device)
    bundle = load_bundle(options.bundle)
    predictor = ImagePredictor(bundle, device, batch_size=options.batch_size)
    startup.lap("weights")
    case_options = Options(
        skip_existing=options.skip_existing,
        all_instances=options.all_instances,
        preview=_preview_writer(options.outputs) if options.previews else None,
    )
    reports: list[CaseReport] = []
    for source in tqdm(sources, unit="case", disable=len(sources) == 1, mininterval=1):
        report = predict_case(predictor, source, options.outputs / source.name, case_options)
        if not report.good:
            tqdm.write(f"{report.status}: {report.errors[0]}", file=sys.stderr)
        reports.append(report)
    written = write_report(
        options.outputs,
        reports,
        device=device,
        precision=predictor.precision,
        bundle=str(options.bundle),
        bundle_sha256=bundle.sha256,
        startup=startup,
    )
    print(format_table(reports))
    print(f"masks: {options.outputs}   report: {written}")
    return GOOD if all(report.good for report in reports) else SOME_FAILED


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
