"""``python -m predict ray-run``: as ``run``, by many workers that may be lost."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from predict.run_command import add_case_options, positive

if TYPE_CHECKING:
    from predict.case_log import CaseLog
    from predict.ray_job import Finished
    from predict.startup import StartUp

DESCRIPTION = """\
Segment every npz of a folder as a Ray Data job: workers that each hold the network, on this machine
or a cluster, begin the largest cases first. A worker that is killed is replaced and its cases are
done again; a case that has killed its worker four times is given up."""
EPILOG = """\
examples:
  python -m predict ray-run inputs outputs --workers 2                  this machine
  python -m predict ray-run inputs outputs --workers 64 --address auto  the cluster of this node

INPUTS, OUTPUTS, the bundle and this project lie at the same place on all machines. Exit status: as
of run.
"""


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register ``ray-run``."""
    parser = commands.add_parser(
        "ray-run",
        help="the same with many workers, by Ray",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=ray_run)
    add_case_options(parser)
    parser.add_argument("--workers", type=positive, required=True, help="each has a GPU, or --cpus")
    parser.add_argument(
        "--cpus", type=positive, help="cores of a worker (default: those of this machine, shared)"
    )
    parser.add_argument(
        "--address", default="local", help="auto or HOST:PORT of a cluster (default: %(default)s)"
    )


def ray_run(options: argparse.Namespace) -> int:
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
    from predict.parts import file_sizes
    from predict.writable import make_output_folder

    sizes = file_sizes(list_cases(options.inputs.absolute()))
    largest_first = sorted(sizes, key=lambda path: (-sizes[path], path))
    make_output_folder(options.outputs)

    from predict.bundle import describe_bundle
    from predict.case_log import CaseLog
    from predict.ray_job import (
        JobError,
        Plan,
        choose_worker_device,
        predict_on_workers,
        session,
    )

    startup.lap("imports")
    sha256 = describe_bundle(options.bundle)["sha256"]
    cpus = options.cpus or max(1, (os.cpu_count() or 1) // options.workers)
    log = CaseLog(len(sizes))
    answers: list[Finished] = []
    with session(options.address, options.workers, cpus):
        plan = Plan(
            outputs=options.outputs.absolute(),
            bundle=options.bundle.absolute(),
            bundle_sha256=sha256,
            device=choose_worker_device(options.device, options.workers, cpus),
            batch_size=options.batch_size,
            skip_existing=options.skip_existing,
            all_instances=options.all_instances,
            previews=options.previews,
        )
        startup.lap("workers")
        try:
            with log:
                for answer in predict_on_workers(plan, largest_first, options.workers, cpus):
                    answers.append(answer)
                    log.done(answer.report)
        except JobError as error:
            print(f"error: {error}", file=sys.stderr)
        finally:
            _report(options, log, answers, sha256, startup)
    return log.status


def _report(
    options: argparse.Namespace,
    log: CaseLog,
    answers: Sequence[Finished],
    bundle_sha256: str,
    startup: StartUp,
) -> None:
    """Print the table and write report.json, cases sorted by name as in those of ``run``."""
    import torch

    from predict.report import NAME, format_table, save_report, versions

    reports = sorted(log.reports, key=lambda report: report.case)
    values = {
        "bundle": str(options.bundle),
        "bundle_sha256": bundle_sha256,
        "device": ", ".join(sorted({answer.device for answer in answers})),
        "precision": ", ".join(sorted({answer.precision for answer in answers})),
        "versions": versions(torch.device("cpu")),
        "seconds": round(startup.total(), 4),
        "startup": {stage: round(value, 4) for stage, value in startup.seconds.items()},
        "workers": options.workers,
        **log.to_dict(),
        "cases": [report.to_dict() for report in reports],
    }
    try:
        written = save_report(options.outputs / NAME, values)
    finally:
        print(format_table(reports))
    print(f"masks: {options.outputs}   report: {written}")
