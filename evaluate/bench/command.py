"""``python -m evaluate bench``: prediction against the floor, stage by stage."""

from __future__ import annotations

import argparse
import math
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from evaluate.bench.shape import Shape
from predict.defaults import DEFAULT_BUNDLE
from predict.errors import UsageError
from predict.exit_status import GOOD

if TYPE_CHECKING:
    from evaluate.bench.plan import Plan
    from evaluate.bench.table import Results

EPILOG = "exit status: 0 everything was measured; 2 wrong call, or some process failed."
MOST_PROMPTS = 255
Values = TypeVar("Values")


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register ``bench``."""
    bench = commands.add_parser(
        "bench",
        help="time prediction, whole process and stages, against torch's import and the files",
        epilog=EPILOG,
    )
    bench.add_argument("--out", type=Path, required=True, help="folder for bench.md, bench.json")
    weights = bench.add_mutually_exclusive_group()
    weights.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE, help="default: %(default)s")
    weights.add_argument(
        "--official", action="store_true", help="random weights of the published network's size"
    )
    bench.add_argument("--inputs", type=Path, help="folder of NAME.npz instead of synthetic cases")
    bench.add_argument("--reference", type=Path, help="folder with other code and its predict.sh")
    bench.add_argument("--before", type=Path, help="earlier bench.json, to be shown beside")
    bench.add_argument("--targets", action="store_true", help="also measure against the targets")
    bench.add_argument("--scale", action="store_true", help="also measure how time and memory grow")
    bench.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    bench.add_argument("--threads", type=_positive, help="OMP_NUM_THREADS (default: as it is)")
    bench.add_argument("--repeats", type=_positive, default=5, help="rounds (default: %(default)s)")
    bench.add_argument("--quick", action="store_true", help="tiny sizes, to try the command")
    sizes = bench.add_argument_group("sizes, instead of those of the targets")
    sizes.add_argument("--shape", type=_shape, metavar="DxHxW", help="main volume")
    sizes.add_argument("--prompts", type=_counts, metavar="N,N,..", help="main numbers of prompts")
    sizes.add_argument("--scale-prompts", type=_counts, metavar="N,N,..", help="rising")
    sizes.add_argument("--scale-shapes", type=_shapes, metavar="DxHxW,..", help="rising")
    sizes.add_argument("--scale-cases", type=_counts, metavar="N,N,..", help="rising")
    bench.add_argument(
        "--into", type=Path, metavar="FILE", help="also renew the benchmark in a Markdown document"
    )
    bench.set_defaults(command=_bench)


def _bench(options: argparse.Namespace) -> int:
    from evaluate.bench.table import PLOT, check_document, format_results, put_into, to_json
    from predict.writable import make_output_folder

    make_output_folder(options.out)
    document = check_document(options.into) if options.into else ""
    with orderly_end(), tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        results = _measure(options, Path(scratch))
    text = format_results(results)
    (options.out / "bench.md").write_text(text, encoding="utf-8")
    (options.out / "bench.json").write_text(to_json(results), encoding="utf-8")
    plots = {options.out / PLOT}
    if options.into:
        section = format_results(results, f"{options.into.stem}.svg")
        options.into.write_text(put_into(document, section), encoding="utf-8")
        plots.add(options.into.with_suffix(".svg"))
    if results.sweeps:
        from evaluate.bench.scaling import draw_scaling

        for plot in plots:
            plot.write_text(draw_scaling(results.sweeps), encoding="utf-8")
    print(text)
    return GOOD


@contextmanager
def orderly_end() -> Iterator[None]:
    """SIGTERM, as of ``timeout``, ends what was started and deletes what was written."""
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _measure(options: argparse.Namespace, scratch: Path) -> Results:
    from evaluate.bench.bundles import OFFICIAL_INPUT, describe_bundle, make_official_bundle
    from evaluate.bench.cases import OwnCases, Workload
    from evaluate.bench.contest import Setting, compete
    from evaluate.bench.earlier import read_earlier
    from evaluate.bench.machine import describe_machine
    from evaluate.bench.plan import Plan
    from evaluate.bench.reference import find_reference
    from evaluate.bench.scaling import measure_scaling
    from evaluate.bench.table import Results
    from evaluate.bench.targets import check_targets
    from predict.npz import list_cases

    plan = _plan(options)
    before = read_earlier(options.before) if options.before else {}
    if options.inputs:
        list_cases(options.inputs)
    reference = find_reference(options.reference) if options.reference else None
    bundle = make_official_bundle(scratch) if options.official else options.bundle
    described = describe_bundle(bundle)
    setting = Setting(
        bundle=bundle,
        device=options.device,
        threads=options.threads,
        repeats=options.repeats,
        reference=reference,
    )
    load = os.getloadavg()[0]
    own = options.inputs
    workloads: list[Workload] = [OwnCases(own)] if own else [*plan.main()]
    main = [compete(workload, setting) for workload in workloads]
    return Results(
        call=_call(options),
        machine=describe_machine(main[-1].machine, load),
        bundle=described,
        main=main,
        targets=check_targets(plan, setting, main) if options.targets else [],
        binding=plan == Plan() and described["image_size"] == OFFICIAL_INPUT,
        sweeps=measure_scaling(plan, setting) if options.scale else [],
        before=before,
    )


def _plan(options: argparse.Namespace) -> Plan:
    """Sizes as wanted.

    Raises:
        UsageError: The wishes do not go together.
    """
    from evaluate.bench.plan import QUICK, Plan

    named = {
        "shape": options.shape,
        "prompts": options.prompts,
        "prompt_counts": options.scale_prompts,
        "shapes": options.scale_shapes,
        "case_counts": options.scale_cases,
    }
    plan = QUICK if options.quick else Plan()
    plan = replace(plan, **{name: value for name, value in named.items() if value})
    if options.targets and (options.inputs or len(plan.prompts) != 2):
        raise UsageError("--targets: expected synthetic cases with two numbers of --prompts")
    most = max(*plan.prompts, *plan.prompt_counts)
    if most > MOST_PROMPTS:
        raise UsageError(f"prompts: expected at most {MOST_PROMPTS}, received {most}")
    return plan


def _call(options: argparse.Namespace) -> str:
    """What was typed, with folders and files by their last names."""
    words = []
    for name, value in vars(options).items():
        if name in ("command", "out", "into") or value in (None, False, DEFAULT_BUNDLE, "auto"):
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words.append(_typed(value))
    return shlex.join(words)


def _typed(value: object) -> str:
    if isinstance(value, Path):
        return value.name
    if isinstance(value, tuple):
        between = "x" if isinstance(value, Shape) else ","
        return between.join(map(_typed, value))
    return str(value)


def _positive(text: str) -> int:
    return _number(text, "a number of 1 or more")


def _counts(text: str) -> tuple[int, ...]:
    counts = tuple(_number(part, "rising numbers such as 1,2,4") for part in text.split(","))
    return _rising(counts, counts, text)


def _shapes(text: str) -> tuple[Shape, ...]:
    shapes = tuple(_shape(part) for part in text.split(","))
    return _rising(shapes, [math.prod(shape) for shape in shapes], text)


def _shape(text: str) -> Shape:
    expected = "a shape such as 200x512x512"
    sides = [_number(part, expected) for part in text.split("x")]
    if len(sides) != 3:
        raise argparse.ArgumentTypeError(f"expected {expected}, received {text}")
    return Shape(*sides)


def _rising(values: Values, sizes: Sequence[int], text: str) -> Values:
    if any(before >= after for before, after in pairwise(sizes)):
        raise argparse.ArgumentTypeError(f"expected rising values, received {text}")
    return values


def _number(text: str, expected: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected {expected}, received {text}")
    return int(text)
