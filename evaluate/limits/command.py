"""Commands ``memory`` and ``slow``."""

from __future__ import annotations

import argparse
from pathlib import Path

from predict.exit_status import GOOD, SOME_FAILED


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both; their imports wait until they run."""
    memory = commands.add_parser(
        "memory",
        help="compare the planned with the measured peak memory",
        epilog="exit status: 0 every case ran with its plan within 25 %% of the peak; 1 some not.",
    )
    memory.add_argument("cases", nargs="*", help="DxHxW:DTYPE:PROMPTS[:instance]; default: ten")
    memory.add_argument("--limit-gb", type=float, help="run in a control group with so much (1e9)")
    memory.add_argument("--folder", type=Path, help="where cases are written for the while")
    memory.set_defaults(command=_memory)
    slow = commands.add_parser(
        "slow",
        help="predict under a CPU quota: is the time kept, what is dropped for it?",
        epilog="exit status: 0 every run was in time; 1 some not.",
    )
    slow.add_argument("--case", default="100x256x256:uint8:30", help="default: %(default)s")
    slow.add_argument(
        "--cpus", type=float, nargs="*", default=[], help="quotas to try; none: as it is"
    )
    slow.add_argument("--seconds-per-class", type=float, default=60.0, help="default: %(default)s")
    slow.set_defaults(command=_slow)
    for command in (memory, slow):
        command.add_argument("--bundle", type=Path, help="default: the shipped one")
        command.add_argument("--batch-size", type=int, help="prompts at once")


def _run_options(options: argparse.Namespace) -> list[str]:
    given = ["--device", "cpu"]
    given += ["--bundle", str(options.bundle)] if options.bundle else []
    return given + (["--batch-size", str(options.batch_size)] if options.batch_size else [])


def _memory(options: argparse.Namespace) -> int:
    from evaluate.limits.memory import SHAPES, format_line, measure
    from evaluate.limits.volumes import Volume

    volumes = [Volume.parse(text) for text in options.cases or SHAPES]
    limit = None if options.limit_gb is None else int(options.limit_gb * 1e9)
    status = GOOD
    for case in measure(volumes, _run_options(options), limit, options.folder):
        print(format_line(case), flush=True)
        status = status if case.good else SOME_FAILED
    return status


def _slow(options: argparse.Namespace) -> int:
    from evaluate.limits.slow import format_run, run_slowly
    from evaluate.limits.volumes import Volume

    volume = Volume.parse(options.case)
    limit = options.seconds_per_class * volume.prompts
    status = GOOD
    for cpus in options.cpus or [None]:
        seen = run_slowly(volume, cpus, options.seconds_per_class, _run_options(options))
        print(format_run(cpus, limit, seen), flush=True)
        late = seen.status != 0 or seen.seconds > limit
        status = SOME_FAILED if late else status
    return status
