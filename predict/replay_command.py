"""``python -m predict replay``: predict the cases of a report again and compare."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from pathlib import Path

from predict.exit_status import GOOD, SOME_FAILED

EPILOG = """\
For each case: identical; differs by so many voxels, with the Dice of each class; input changed or
missing; not recorded, where the run made no mask. Above them what differs of bundle, device,
precision, threads, processor and versions.

exit status: 0 every mask that was recorded is identical or within --tolerance, and the bundle is
the same; 1 not so; 2 wrong call or no bundle.
"""


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register ``replay``."""
    parser = commands.add_parser(
        "replay",
        help="do a run again from its report.json and compare the masks",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=replay)
    parser.add_argument("report", type=Path, help="report.json of a run")
    parser.add_argument("--inputs", type=Path, help="where the cases are now")
    parser.add_argument("--outputs", type=Path, help="where the masks of then are now")
    parser.add_argument("--bundle", type=Path, help="where the weights are now")
    parser.add_argument("--device", help="auto, cpu or cuda (default: the kind of then)")
    parser.add_argument(
        "--tolerance",
        type=float,
        default=0.0,
        metavar="N",
        help="voxels per million of a case that may differ (default: %(default)g)",
    )
    parser.add_argument("--json", action="store_true", help="for programs")


def replay(options: argparse.Namespace) -> int:
    """Run the command and return the exit status."""
    from predict.bundle import load_bundle
    from predict.determinism import make_deterministic
    from predict.predictor import ImagePredictor, choose_device
    from predict.replay import (
        differences_of_machine,
        format_replay,
        read_recorded,
        replay_cases,
        use_threads,
    )

    recorded = read_recorded(options.report)
    moved = {k: getattr(options, k) for k in ("inputs", "outputs", "bundle") if getattr(options, k)}
    recorded = dataclasses.replace(recorded, **moved)
    if recorded.settings["deterministic"]:
        make_deterministic()
    kind = "cpu" if recorded.report.get("device") == "cpu" else "cuda"
    device = choose_device(options.device or kind)
    bundle = load_bundle(recorded.bundle)
    with use_threads(recorded.report.get("threads")), tempfile.TemporaryDirectory() as folder:
        predictor = ImagePredictor(bundle, device, batch_size=recorded.settings["batch_size"])
        changed = differences_of_machine(recorded.report, predictor, bundle.sha256)
        cases = list(replay_cases(recorded, predictor, Path(folder)))
    same_bundle = bundle.sha256 == recorded.report.get("bundle_sha256")
    good = same_bundle and all(case.good(options.tolerance) for case in cases)
    if options.json:
        table = {"good": good, "changed": changed, "cases": [case.to_dict() for case in cases]}
        print(json.dumps(table, indent=1, ensure_ascii=False))
    else:
        for line in changed:
            print(line, file=sys.stderr)
        print(format_replay(cases))
    return GOOD if good else SOME_FAILED
