"""Command line of prediction."""

from __future__ import annotations

import argparse
import difflib
import json
import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from predict import prompts_command, segment_command, serve_command
from predict.defaults import DEFAULT_BUNDLE
from predict.errors import BundleError, UsageError
from predict.exit_status import EPILOG, GOOD, INTERRUPTED, SOME_FAILED, WRONG_CALL
from predict.pipeline import Pipeline

if TYPE_CHECKING:
    import numpy as np

    from predict.cases import Case
    from predict.report import CaseReport


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser, commands = _parser()
    if not given:
        parser.print_help(sys.stderr)
        return WRONG_CALL
    advice = advice_on_command(given, list(commands))
    if advice is not None:
        print(f"error: {advice}", file=sys.stderr)
        return WRONG_CALL
    options = parser.parse_args(given)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        status = int(options.command(options))
        sys.stdout.flush()
        return status
    except (UsageError, BundleError) as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_CALL
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        _drop_output()
        return GOOD
    except OSError as error:  # such as a full disk below stdout
        print(f"error: {error}", file=sys.stderr)
        _drop_output()
        return SOME_FAILED
    except MemoryError:
        print("error: out of memory", file=sys.stderr)
        return SOME_FAILED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _drop_output() -> None:
    """Drop what stdout did not take, which Python would try to write once more at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def advice_on_command(given: Sequence[str], commands: Sequence[str]) -> str | None:
    """What to type instead, where the first word is not a command; None where it may be one."""
    if not given or (given[0].startswith("-") and given[0] not in ("-p", "--prompt")):
        return None
    word = given[0]
    if word in commands:
        return None
    near = difflib.get_close_matches(word, commands, 1)
    if near and not Path(word).exists():
        call = shlex.join((near[0], *given[1:]))
        return f"no command {word!r}, did you mean: python -m predict {call}"
    call = shlex.join(given)
    if not {"-p", "--prompt", "--prompts-file"} & set(given):
        call += ' -p "liver"'
    return (
        f"expected a command ({', '.join(commands)}), received {word!r}; "
        f"to segment an image type: python -m predict segment {call}"
    )


def _parser() -> tuple[argparse.ArgumentParser, Iterable[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m predict", description="Text-guided 3D medical image segmentation."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    segment_command.add_command(commands)
    prompts_command.add_command(commands)

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
    Pipeline.add_options(export)
    export.set_defaults(command=_export)

    info = commands.add_parser("info", help="say what a bundle is")
    info.add_argument("bundle", type=Path, nargs="?", default=DEFAULT_BUNDLE)
    info.add_argument("--json", action="store_true", help="for programs")
    info.set_defaults(command=_info)
    serve_command.add_command(commands)
    return parser, commands.choices


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, received {text}")
    return value


def _run(options: argparse.Namespace) -> int:
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
    try:
        written = write_report(
            options.outputs,
            reports,
            device=device,
            precision=predictor.precision,
            bundle=str(options.bundle),
            bundle_sha256=bundle.sha256,
            startup=startup,
        )
    finally:
        print(format_table(reports))
    print(f"masks: {options.outputs}   report: {written}")
    return GOOD if all(report.good for report in reports) else SOME_FAILED


def _preview_writer(outputs: Path) -> Callable[[Case, np.ndarray], Path]:
    from predict.sheet import scene_of_case, write_sheet

    folder = outputs / "previews"
    return lambda case, labels: write_sheet(
        scene_of_case(case, labels), folder / f"{case.name}.png"
    )


def _export(options: argparse.Namespace) -> int:
    from predict.export import export_bundle

    manifest = export_bundle(
        options.checkpoint,
        options.bundle,
        dtype=options.dtype,
        source=options.source,
        pipeline=Pipeline.from_options(options),
    )
    print(
        f"{options.bundle}: {manifest['parameters_kept']:,} of {manifest['parameters']:,} "
        f"parameters, {manifest['dtype']}"
    )
    return GOOD


def _info(options: argparse.Namespace) -> int:
    from predict.bundle import describe_bundle

    description = describe_bundle(options.bundle)
    if options.json:
        print(json.dumps(description, indent=2))
    else:
        for key, value in description.items():
            print(f"{key:16} {value}")
    return GOOD
