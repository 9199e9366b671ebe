"""``python -m predict segment``: images and prompts in, masks and pictures out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from predict.defaults import DEFAULT_BUNDLE
from predict.errors import UsageError
from predict.exit_status import GOOD, INTERRUPTED, SOME_FAILED

if TYPE_CHECKING:
    from predict.api import Segmenter
    from predict.report import CaseReport
    from predict.segment_case import Wishes

MODALITIES = ("CT", "MR", "PET", "US", "Microscopy")
SURFACES = ("stl", "obj", "ply")
DESCRIPTION = """\
Segment images from free text. Reads NIfTI, NRRD, MetaImage, DICOM (folder, zip or file), TIFF and
npz; writes NAME_mask in the same kind of file with the same geometry, a picture NAME_sheet.png to
judge it by, and report.json."""
EPILOG = """\
examples:
  python -m predict segment scan.nii.gz -p "liver" -p "left kidney" -o out/
  python -m predict segment study/ -p "lung" --window lung        a DICOM folder
  python -m predict segment study/ --series 2 -p "liver"          one of its series
  python -m predict segment scans/ "more/*.nrrd" --prompts-file prompts.txt --skip-existing
  python -m predict segment cells.tif -p "cell nucleus" --instances --format nii.gz

The ids in a mask are 1, 2, ... in the order of the prompts. `python -m predict prompts` lists what
the bundle was trained on.

exit status: 0 all images good; 1 some image failed, a line says why; 2 wrong call or no bundle:
nothing was attempted; 130 interrupted: what was finished stays, --skip-existing goes on.
"""


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register ``segment``."""
    parser = commands.add_parser(
        "segment",
        help="segment your own scans: files, folders, DICOM",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=segment)
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="file, folder or quoted pattern")
    asked = parser.add_argument_group("what to look for")
    asked.add_argument(
        "-p", "--prompt", action="append", default=[], metavar="TEXT", help="repeat for more"
    )
    asked.add_argument(
        "--prompts-file", type=Path, metavar="FILE", help="a prompt a line, or JSON: id -> prompt"
    )
    asked.add_argument("--instances", action="store_true", help="number the objects of one prompt")
    written = parser.add_argument_group("what is written")
    written.add_argument(
        "-o", "--out", type=Path, default=Path("out"), help="folder (default: %(default)s)"
    )
    written.add_argument(
        "--format", help="nii.gz, nrrd, mha, tif, npz, dcm (default: as the image)"
    )
    written.add_argument("--probabilities", action="store_true", help="a NIfTI map per prompt too")
    written.add_argument("--surface", choices=SURFACES, help="a 3D surface of what was found too")
    written.add_argument("--no-sheet", action="store_true", help="no picture")
    written.add_argument("--skip-existing", action="store_true", help="leave finished images alone")
    written.add_argument("--json", action="store_true", help="print the report as JSON")
    seen = parser.add_argument_group("how the image is seen")
    seen.add_argument(
        "--window",
        help='soft tissue, lung, brain, bone, or W,L as in "400,40" (default: by prompt)',
    )
    seen.add_argument("--modality", choices=MODALITIES, help="where the file does not say it")
    seen.add_argument("--series", help="of a DICOM folder: its UID or number")
    how = parser.add_argument_group("how it is computed")
    how.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE, help="weights")
    how.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")


def segment(options: argparse.Namespace) -> int:
    """Run the command and return the exit status."""
    from predict.inputs import find_images, output_folders, read_prompts
    from predict.result import as_prompts
    from predict.startup import StartUp

    startup = StartUp(options.own_process)
    prompts = as_prompts(read_prompts(options.prompt, options.prompts_file))
    if options.instances and len(prompts) > 1:
        raise UsageError(f"--instances: expected one prompt, received {len(prompts)}")
    images = find_images(options.images)
    folders = output_folders(images, options.out)
    _check_choices(options)
    from predict.api import Segmenter
    from predict.report import format_table, write_report
    from predict.writable import make_output_folder

    make_output_folder(options.out)
    startup.lap("imports")
    segmenter = Segmenter.load(options.bundle, device=options.device)
    startup.lap("weights")
    reports: list[CaseReport] = []
    interrupted = False
    try:
        for report in _each(segmenter, images, folders, prompts, _wishes(options)):
            reports.append(report)
    except KeyboardInterrupt:
        interrupted = True
    written = write_report(
        options.out,
        reports,
        device=segmenter.predictor.device,
        precision=segmenter.predictor.precision,
        bundle=str(options.bundle),
        bundle_sha256=segmenter.bundle_sha256,
        startup=startup,
    )
    if options.json:
        print(written.read_text(encoding="utf-8"), end="")
    else:
        print(format_table(reports))
        print(f"masks: {options.out}   report: {written}")
    if interrupted:
        print(
            f"interrupted: {len(reports)} of {len(images)} images are done, none is half written; "
            "the same command with --skip-existing goes on",
            file=sys.stderr,
        )
        return INTERRUPTED
    return GOOD if all(report.good for report in reports) else SOME_FAILED


def _each(
    segmenter: Segmenter,
    images: Sequence[Path],
    folders: Sequence[Path],
    prompts: Mapping[int, str],
    wishes: Wishes,
) -> Iterator[CaseReport]:
    """Reports one by one; a bar on a terminal, a line per image in a log."""
    from tqdm import tqdm

    quiet = len(images) == 1 or not sys.stderr.isatty()
    bar = tqdm(images, unit="image", disable=quiet, mininterval=1)
    for number, (image, folder) in enumerate(zip(bar, folders, strict=True), start=1):
        report = _one(segmenter, image, folder, prompts, wishes, alone=len(images) == 1)
        if report.errors:
            tqdm.write(f"{report.status}: {report.errors[0]}", file=sys.stderr)
        if quiet and len(images) > 1:
            seconds = report.seconds.get("total", 0.0)
            line = f"[{number}/{len(images)}] {report.case}: {report.status}, {seconds:.1f} s"
            print(line, file=sys.stderr, flush=True)
        yield report


def _one(
    segmenter: Segmenter,
    image: Path,
    folder: Path,
    prompts: Mapping[int, str],
    wishes: Wishes,
    *,
    alone: bool,
) -> CaseReport:
    """A call that does not fit an image is wrong if it is the only one, else that image fails."""
    from predict.report import CaseReport
    from predict.segment_case import segment_case

    try:
        return segment_case(segmenter, image, folder, prompts, wishes)
    except UsageError as error:
        if alone:
            raise
        report = CaseReport(case=image.name)
        report.fail(f"{image.name}: {error}")
        return report


def _wishes(options: argparse.Namespace) -> Wishes:
    from predict.segment_case import Wishes

    return Wishes(
        format=options.format,
        series=options.series,
        modality=options.modality,
        window=options.window,
        instances=options.instances,
        probabilities=options.probabilities,
        surface=options.surface,
        sheet=not options.no_sheet,
        skip_existing=options.skip_existing,
    )


def _check_choices(options: argparse.Namespace) -> None:
    """Refuse what cannot be done before the weights are loaded."""
    from predict.formats.write import WRITABLE
    from predict.surface import surface_libraries
    from predict.windows import parse_window

    if options.window is not None:
        parse_window(options.window)
    if options.surface is not None:
        surface_libraries()
    if options.format is not None and f".{options.format.lstrip('.').lower()}" not in (
        *WRITABLE,
        ".seg.nrrd",
    ):
        raise UsageError(
            f"--format: expected one of {', '.join(e[1:] for e in WRITABLE)}, "
            f"received {options.format}"
        )
