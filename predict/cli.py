"""Command line of prediction."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from predict.defaults import DEFAULT_BUNDLE
from predict.errors import BundleError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from predict.cases import Case
    from predict.report import CaseReport

GOOD, SOME_FAILED, WRONG_CALL = 0, 1, 2
EPILOG = (
    "exit status: 0 all cases good; 1 some case failed (a valid output is there wherever the "
    "image's shape could be told, and a line says why); 2 wrong call or no bundle: nothing was "
    "attempted."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        return int(options.command(options))
    except (UsageError, BundleError) as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_CALL


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m predict", description="Text-guided 3D medical image segmentation."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    run = commands.add_parser("run", help="segment every npz of a folder", epilog=EPILOG)
    run.add_argument("inputs", type=Path, help="folder of *.npz (imgs, spacing, text_prompts)")
    run.add_argument("outputs", type=Path, help="folder for the masks and report.json")
    run.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE, help="default: %(default)s")
    run.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    run.add_argument("--batch-size", type=_positive, help="prompts at once (default: what fits)")
    run.add_argument("--skip-existing", action="store_true", help="leave finished cases alone")
    run.add_argument("--previews", action="store_true", help="draw a picture of every case")
    run.add_argument(
        "--all-instances", action="store_true", help="all instance ids as int32, not 255 as uint8"
    )
    run.set_defaults(command=_run)

    export = commands.add_parser("export", help="freeze a checkpoint into a bundle")
    export.add_argument("checkpoint", type=Path, help="folder: config, safetensors, tokenizer")
    export.add_argument("bundle", type=Path, help="folder to write")
    export.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    export.add_argument("--source", help="where the weights come from, in one line")
    export.set_defaults(command=_export)

    serve = commands.add_parser("serve", help="open a local web page and REST service")
    serve.add_argument("--host", default="127.0.0.1", help="address (default: %(default)s)")
    serve.add_argument("--port", type=int, default=8080, help="default: %(default)s; 0: a free one")
    serve.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE, help="default: %(default)s")
    serve.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    serve.add_argument("--folder", type=Path, help="cases that the page may open, where they lie")
    serve.add_argument(
        "--token", help="asked of every request; beyond loopback one is made if none is given"
    )
    serve.add_argument("--max-upload-mb", type=_positive, default=2048, help="default: %(default)s")
    serve.set_defaults(command=_serve)

    info = commands.add_parser("info", help="say what a bundle is")
    info.add_argument("bundle", type=Path, nargs="?", default=DEFAULT_BUNDLE)
    info.add_argument("--json", action="store_true", help="for programs")
    info.set_defaults(command=_info)
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, received {text}")
    return value


def _run(options: argparse.Namespace) -> int:
    from predict.npz import list_cases
    from predict.startup import StartUp

    startup = StartUp()
    sources = list_cases(options.inputs)
    _make_output_folder(options.outputs)

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


def _make_output_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".write-test-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(f"output folder {folder}: not writable ({error.strerror})") from error


def _preview_writer(outputs: Path) -> Callable[[Case, np.ndarray], Path]:
    from predict.sheet import scene_of_case, write_sheet

    folder = outputs / "previews"
    return lambda case, labels: write_sheet(
        scene_of_case(case, labels), folder / f"{case.name}.png"
    )


def _export(options: argparse.Namespace) -> int:
    from predict.export import export_bundle

    manifest = export_bundle(
        options.checkpoint, options.bundle, dtype=options.dtype, source=options.source
    )
    print(
        f"{options.bundle}: {manifest['parameters_kept']:,} of {manifest['parameters']:,} "
        f"parameters, {manifest['dtype']}"
    )
    return GOOD


def _serve(options: argparse.Namespace) -> int:
    try:
        start = import_module("serve.cli").start
    except ModuleNotFoundError as error:
        raise UsageError(
            f"serve: {error.name} is not installed; pip install -r serve/requirements.txt"
        ) from error
    return int(start(options))


def _info(options: argparse.Namespace) -> int:
    from predict.bundle import describe_bundle

    description = describe_bundle(options.bundle)
    if options.json:
        print(json.dumps(description, indent=2))
    else:
        for key, value in description.items():
            print(f"{key:16} {value}")
    return GOOD
