"""``python -m predict run``: a folder of the challenge's npz files in, masks and a report out."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from predict.defaults import DEFAULT_BUNDLE
from predict.exit_status import EPILOG

if TYPE_CHECKING:
    import numpy as np

    from predict.cases import Case
    from predict.startup import StartUp


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register ``run``."""
    parser = commands.add_parser("run", help="segment every npz of a folder", epilog=EPILOG)
    parser.set_defaults(command=run)
    add_case_options(parser)
    parser.add_argument(
        "--part", metavar="I/N", help="only the Ith of N shares of the folder, with its own report"
    )
    parser.add_argument(
        "--seconds-per-class",
        type=_seconds,
        default=60.0,
        metavar="S",
        help="refine only as far as S seconds for each prompt allow; 0: no limit (default: 60)",
    )
    parser.add_argument(
        "--deterministic", action="store_true", help="the same bytes each time, also on a GPU"
    )


def add_case_options(parser: argparse.ArgumentParser) -> None:
    """Folders and what is asked of every case."""
    parser.add_argument("inputs", type=Path, help="folder of *.npz (imgs, spacing, text_prompts)")
    parser.add_argument("outputs", type=Path, help="folder for the masks and report.json")
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE, help="default: %(default)s")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.add_argument("--batch-size", type=positive, help="prompts at once (default: what fits)")
    parser.add_argument("--skip-existing", action="store_true", help="leave finished cases alone")
    parser.add_argument("--previews", action="store_true", help="draw a picture of every case")
    parser.add_argument(
        "--all-instances", action="store_true", help="all instance ids as int32, not 255 as uint8"
    )


def positive(text: str) -> int:
    """A whole number from 1 on, of the command line."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, received {text}")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"expected 0 or more, received {text}")
    return value or math.inf


def run(options: argparse.Namespace) -> int:
    """Run the command and return the exit status."""
    from predict.interrupts import interruptible
    from predict.startup import StartUp

    startup = StartUp(options.own_process)
    return interruptible(lambda: _predict(options, startup))


def _predict(options: argparse.Namespace, startup: StartUp) -> int:
    """Predict what the options ask for, and report it.

    Raises:
        KeyboardInterrupt: Interrupted; what was finished is reported.
    """
    from predict.npz import list_cases
    from predict.parts import take_share
    from predict.writable import make_output_folder

    share = take_share(list_cases(options.inputs), options.part)
    make_output_folder(options.outputs)

    from predict.read_ahead import ReadAhead, no_collection

    first = share.sources[0] if share.sources and not options.skip_existing else None
    ahead = ReadAhead(options.bundle, first)
    with no_collection():
        from predict.bundle import load_bundle
        from predict.case_log import CaseLog
        from predict.determinism import BATCH_SIZE, make_deterministic
        from predict.folder import Options, predict_folder
        from predict.predictor import ImagePredictor, choose_device
        from predict.replay import settings_of_run
        from predict.report import format_table, write_report

    startup.lap("imports")
    if options.deterministic:
        make_deterministic()
        options.batch_size = options.batch_size or BATCH_SIZE
    device = choose_device(options.device)
    bundle = load_bundle(options.bundle, ahead.bundle_files())
    predictor = ImagePredictor(bundle, device, batch_size=options.batch_size)
    startup.lap("weights")
    case_options = Options(
        read=ahead.read_case,
        skip_existing=options.skip_existing,
        all_instances=options.all_instances,
        seconds_per_class=options.seconds_per_class,
        preview=_preview(options),
    )

    def report() -> None:
        try:
            written = write_report(
                options.outputs,
                log.reports,
                device=device,
                precision=predictor.precision,
                bundle=str(options.bundle),
                bundle_sha256=bundle.sha256,
                startup=startup,
                name=share.report_name,
                more={"run": settings_of_run(options), **share.facts, **log.to_dict()},
            )
        finally:
            print(format_table(log.reports))
        print(f"masks: {options.outputs}   report: {written}")

    log = CaseLog(len(share.sources))
    try:
        with log:
            predict_folder(
                predictor, share.sources, options.outputs, case_options, log.done, startup.total()
            )
    finally:
        report()
    return log.status


def _preview(options: argparse.Namespace) -> Callable[[Case, np.ndarray], Path] | None:
    if not options.previews:
        return None
    from predict.sheet import preview_writer

    return preview_writer(options.outputs)
