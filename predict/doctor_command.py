"""``python -m predict doctor``: whether prediction will work here, and what to do if not."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from predict.defaults import DEFAULT_BUNDLE
from predict.exit_status import GOOD, SOME_FAILED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from predict.doctor.check import Check
    from predict.startup import StartUp

INPUTS, OUTPUTS = Path("/workspace/inputs"), Path("/workspace/outputs")
EPILOG = (
    "exit status: 0 nothing failed, warnings or not; 1 something did, and its line says what to do."
)


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register ``doctor``."""
    parser = commands.add_parser(
        "doctor", help="check whether everything works here", epilog=EPILOG
    )
    parser.set_defaults(command=doctor)
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE, help="default: %(default)s")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.add_argument("--inputs", type=Path, help=f"default: {INPUTS} where that is there")
    parser.add_argument("--outputs", type=Path, help=f"default: {OUTPUTS} where that is there")
    parser.add_argument("--json", action="store_true", help="for programs")


def doctor(options: argparse.Namespace) -> int:
    """Run the command and return the exit status."""
    from predict.startup import StartUp

    checks: list[Check] = []
    for check in _checks(options, StartUp()):
        checks.append(check)
        if not options.json:
            print(check.line(), flush=True)
    failed = [check.name for check in checks if check.status == "fail"]
    warned = [check.name for check in checks if check.status == "warn"]
    if options.json:
        table = {"good": not failed, "checks": [dataclasses.asdict(check) for check in checks]}
        print(json.dumps(table, indent=1, ensure_ascii=False))
    else:
        print(_summary(failed, warned))
    return SOME_FAILED if failed else GOOD


def _summary(failed: list[str], warned: list[str]) -> str:
    if failed:
        return f"prediction will not work here: {', '.join(failed)}"
    warnings = f", with a warning about {', '.join(warned)}" if warned else ""
    return f"prediction works here{warnings}"


def _checks(options: argparse.Namespace, startup: StartUp) -> Iterator[Check]:
    """All checks in order; without the packages no more than those of them."""
    from predict.doctor import machine

    for check in (machine.check_packages, machine.check_imports):
        found = check()
        yield found
        if found.status == "fail":
            return
    startup.lap("imports")
    yield from _network(options, startup)
    yield from _machine()
    yield from _folders(options)


def _network(options: argparse.Namespace, startup: StartUp) -> Iterator[Check]:
    """What computes, with what, and whether the answers fit the contract."""
    import torch

    from predict.doctor.bundle import check_bundle
    from predict.doctor.check import guarded
    from predict.doctor.dry_run import check_dry_run
    from predict.doctor.gpu import check_bfloat16, check_cudnn, check_device, check_driver
    from predict.doctor.start_up import check_start_up
    from predict.predictor import ImagePredictor
    from predict.report import cudnn_version

    found, bundle = check_bundle(options.bundle)
    startup.lap("weights")
    yield found
    chosen, device = check_device(options.device)
    startup.lap("device")
    yield chosen
    if device is None:
        return
    yield guarded("driver", lambda: check_driver(device, torch.version.cuda))
    yield guarded("cuDNN", lambda: check_cudnn(device, cudnn_version()))
    if bundle is None:
        return
    yield guarded("precision", lambda: check_bfloat16(bundle.model.to(device), device))
    yield guarded("dry run", lambda: check_dry_run(ImagePredictor(bundle, device)))
    yield check_start_up(startup.seconds)


def _machine() -> Iterator[Check]:
    import torch

    from predict.doctor.check import guarded
    from predict.doctor.machine import (
        check_memory,
        check_processor,
        check_shared_memory,
        processor_quota,
    )
    from predict.free_memory import free_memory

    threads, capability = torch.get_num_threads(), torch.backends.cpu.get_cpu_capability()
    yield guarded("processor", lambda: check_processor(threads, capability, processor_quota()))
    yield guarded("memory", lambda: check_memory(free_memory().bytes))
    yield guarded("/dev/shm", check_shared_memory)


def _folders(options: argparse.Namespace) -> Iterator[Check]:
    from predict.doctor.check import guarded
    from predict.doctor.folders import check_inputs, check_outputs

    inputs = options.inputs or (INPUTS if INPUTS.is_dir() else None)
    outputs = options.outputs or (OUTPUTS if OUTPUTS.is_dir() else None)
    yield guarded("inputs", lambda: check_inputs(inputs))
    yield guarded("outputs", lambda: check_outputs(outputs))
