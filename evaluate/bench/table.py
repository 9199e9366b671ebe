"""A benchmark as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from evaluate.bench.contest import Contest
from evaluate.bench.earlier import Earlier
from evaluate.bench.runs import Series
from evaluate.bench.scaling import Sweep
from evaluate.bench.targets import Target
from evaluate.report import format_rows
from predict.errors import UsageError

BEGIN, END = "<!-- bench -->", "<!-- end of bench -->"
PLOT = "scaling.svg"


@dataclass(frozen=True, kw_only=True)
class Results:
    """Everything of one call.

    Attributes:
        call: The command's arguments.
        machine: See ``machine.describe_machine``.
        bundle: See ``bundles.describe_bundle``.
        main: Ratios to the floor by stage.
        targets: What was asked for; empty if that was not checked.
        binding: Whether bundle and sizes are those that the targets speak of.
        sweeps: Growth; empty if that was not measured.
        before: Earlier figures by contest.
    """

    call: str
    machine: Mapping[str, Any]
    bundle: Mapping[str, Any]
    main: Sequence[Contest]
    targets: Sequence[Target]
    binding: bool
    sweeps: Sequence[Sweep]
    before: Mapping[str, Earlier] = field(default_factory=dict)


def format_results(results: Results, plot: str = PLOT) -> str:
    """Markdown, with a link to the plot's file if there are sweeps."""
    parts = [_heading(results)]
    for contest in results.main:
        before = results.before.get(contest.name)
        parts += [f"### {contest.name}", _processes(contest, before), _stages(contest, before)]
    if results.targets:
        parts += ["### Targets", _targets(results)]
    if results.sweeps:
        parts += ["### Scaling", f"![Seconds and memory over prompts, voxels, cases]({plot})"]
        parts += [_sweep(sweep) for sweep in results.sweeps]
    return "\n\n".join(parts) + "\n"


def to_json(results: Results) -> str:
    """Every single run, for programs."""
    values = asdict(results)
    del values["before"]
    values["targets"] = [{**asdict(t), "met": t.met} for t in results.targets]
    return json.dumps(values, indent=1, default=str) + "\n"


def check_document(document: Path) -> str:
    """Text of a document that has a place for a benchmark.

    Raises:
        UsageError: It is not readable, or has none.
    """
    try:
        text = document.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--into {document}: not readable ({error})") from error
    if not 0 <= text.find(BEGIN) < text.find(END):
        raise UsageError(f"--into {document}: expected the lines {BEGIN} and {END}, found none")
    return text


def put_into(text: str, section: str) -> str:
    """A document's text with another section between its marks."""
    before, after = text.split(BEGIN, 1)[0], text.split(END, 1)[1]
    return f"{before}{BEGIN}\n\n{section}\n{END}{after}"


def _heading(results: Results) -> str:
    machine, bundle = results.machine, results.bundle
    size = "x".join(map(str, bundle["image_size"]))
    lines = [
        f"`python -m evaluate bench {results.call}`",
        f"{machine['date']}, commit {machine['commit'] or 'unknown'}; {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['memory_gib']} GiB, device {machine['device']}; "
        f"threads: {machine['threads']}, torch {machine['torch']}, numpy {machine['numpy']}, "
        f"Python {machine['python']}, {machine['system']}; load average before the start "
        f"{machine['load']:.2f}.",
        f"Bundle: {bundle['parameters'] / 1e6:.1f} M parameters, network input {size}, mode "
        f"{bundle['mode']}, {bundle['dtype']}, {bundle['provenance']['source']} "
        f"({bundle['sha256'][:12]}).",
    ]
    return "\n\n".join(lines)


def _processes(contest: Contest, before: Earlier | None) -> str:
    rows = [
        ["process", "s", "least", "most", "times the floor", "least", "most", "CPU s", "peak MB"]
    ]
    named = [("floor", contest.floor, contest.floor), ("product", contest.product, contest.floor)]
    if before is not None:
        named.append(("product before", before.product, before.floor))
    if contest.reference is not None:
        named.append(("reference", contest.reference, contest.floor))
    for name, series, floor in named:
        rows.append([name, *_seconds(series), *_ratios(series, floor), _cpu(series), _peak(series)])
    lines = [f"{100 * contest.foreground:.1f} % of the voxels are foreground."]
    if contest.equal is not None:
        lines.append(f"Reference and product agree in {100 * contest.equal:.4f} % of the voxels.")
    rounds = len(contest.floor.runs)
    lines.append(f"Medians, least and most of {rounds} {'rounds' if rounds > 1 else 'round'}.")
    return f"{format_rows(rows)}\n\n{' '.join(lines)}"


def _seconds(series: Series) -> list[str]:
    return [f"{value:.2f}" for value in (series.seconds, *series.spread)]


def _ratios(series: Series, floor: Series) -> list[str]:
    ratios = [
        run.seconds / least.seconds for run, least in zip(series.runs, floor.runs, strict=True)
    ]
    return [f"{v:.2f}" for v in (series.seconds / floor.seconds, min(ratios), max(ratios))]


def _cpu(series: Series) -> str:
    return f"{series.cpu_seconds:.2f}"


def _peak(series: Series) -> str:
    return f"{series.peak_memory_mb:.0f}"


def _stages(contest: Contest, before: Earlier | None) -> str:
    product, floor = contest.product.stages(), contest.floor.stages()
    earlier = {} if before is None else before.product.stages()
    columns = ["stage", "product s", "least", "most", "share", "floor s"]
    rows = [[*columns, *(["before s"] if earlier else [])]]
    for name in dict.fromkeys((*product, *floor, *earlier)):
        cells = ["", "", "", ""]
        if name in product:
            typical, least, most = median(product[name]), min(product[name]), max(product[name])
            cells = [f"{value:.3f}" for value in (typical, least, most)]
            cells.append(f"{100 * typical / contest.product.seconds:.0f} %")
        others = (floor, earlier) if earlier else (floor,)
        cells += [f"{median(other[name]):.3f}" if name in other else "" for other in others]
        rows.append([name, *cells])
    return format_rows(rows)


def _targets(results: Results) -> str:
    rows = [["target", "asked, at most", "measured", *(["met"] if results.binding else [])]]
    for target in results.targets:
        met = ["yes" if target.met else "no"] if results.binding else []
        rows.append(
            [target.name, _quantity(target.most, target), _quantity(target.measured, target), *met]
        )
    table = format_rows(rows)
    if results.binding:
        return table
    return f"{table}\n\nThe targets speak of another bundle or other sizes: these are figures only."


def _quantity(value: float, target: Target) -> str:
    digits = 2 if target.unit in ("x", "s") else 0 if target.most >= 100 else 1
    return f"{value:.{digits}f} {target.unit}"


def _sweep(sweep: Sweep) -> str:
    rows = [[sweep.grows, "workload", "floor s", "product s", "times the floor", "peak MB"]]
    for size, contest in zip(sweep.sizes, sweep.contests, strict=True):
        seconds = (f"{series.seconds:.2f}" for series in (contest.floor, contest.product))
        ratio = f"{contest.ratio:.2f}"
        rows.append([f"{size:.3g}", contest.name, *seconds, ratio, _peak(contest.product)])
    return format_rows(rows)
