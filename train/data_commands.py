"""Commands that prepare a training set: ``python -m train index`` and ``python -m train pack``."""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from predict.errors import UsageError
from predict.exit_status import GOOD, SOME_FAILED
from train.catalogue import Catalogue
from train.index import Index
from train.index_build import build_index
from train.index_findings import find_all
from train.index_report import markdown, summary
from train.pack_build import build_packs
from train.packing import MAX_SIZE, PackSettings
from train.pool import default_workers
from train.source_files import SplitRoot

logger = logging.getLogger(__name__)


def add_commands(commands: Any) -> None:
    """Register the commands with what ``ArgumentParser.add_subparsers`` returned.

    Each sets ``run``, a function from the parsed arguments to the exit status.
    """
    index = commands.add_parser("index", help="verify a training set and write down what is in it")
    index.add_argument("root", type=Path, help="MODALITY/DATASET/CASE.npz with imgs and gts")
    index.add_argument("prompts", type=Path, help="JSON: data set -> class id -> prompts")
    index.add_argument("--out", type=Path, required=True, help="index to write or bring up to date")
    index.add_argument("--provenance", type=Path, help="JSON: split -> case -> subject")
    index.add_argument("--split", default="train", help="name of ROOT's split")
    index.add_argument(
        "--split-root",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="another split; CASE.npz directly in DIR is read too",
    )
    index.add_argument(
        "--split-labels",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="folder of CASE.npz with the gts of a split whose cases do not hold them",
    )
    _add_common(index)
    index.set_defaults(run=run_index)

    pack = commands.add_parser("pack", help="write compact volumes that training reads fast")
    pack.add_argument("index", type=Path, help="what python -m train index wrote")
    pack.add_argument("cache", type=Path, help="folder to fill or to bring up to date")
    pack.add_argument(
        "--max-size",
        type=int,
        nargs=3,
        default=MAX_SIZE,
        metavar=("D", "H", "W"),
        help="most voxels along each axis (default: %(default)s)",
    )
    pack.add_argument("--prune", action="store_true", help="remove packs of no case of this index")
    _add_common(pack)
    pack.set_defaults(run=run_pack)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers", type=int, default=default_workers(), help="processes; 0 uses none"
    )
    parser.add_argument("--json", action="store_true", help="print the summary for programs")


def run_index(options: argparse.Namespace) -> int:
    """Bring the index up to date and write the report beside it."""
    report = options.out.with_suffix(".md")
    if report == options.out:
        raise UsageError(f"--out: expected a name for the index, received the report's {report}")
    catalogue = Catalogue.load(options.prompts, options.provenance)
    roots = split_roots(options.split, options.root, options.split_root, options.split_labels)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    built = build_index(options.out, roots, catalogue, options.workers)
    with Index(options.out) as index:
        findings = find_all(index)
    report.write_text(markdown(findings), encoding="utf-8")
    counts = summary(findings)
    if options.json:
        print(json.dumps({"run": asdict(built), **counts}))
        return GOOD
    print(f"{counts['totals']['cases']} cases: {built.opened} opened in {built.seconds:.1f} s,")
    print(f"{built.unchanged} unchanged, {built.removed} gone; report: {report}")
    for finding, number in counts["findings"].items():
        if number:
            print(f"  {finding}: {number}")
    return GOOD


def run_pack(options: argparse.Namespace) -> int:
    """Pack what is missing; the exit status says whether all of it could be packed."""
    depth, height, width = options.max_size
    if min(depth, height, width) < 1:
        raise UsageError(f"--max-size: expected 1 or more, received {depth} {height} {width}")
    settings = PackSettings((depth, height, width))
    done = build_packs(options.index, options.cache, settings, options.workers, prune=options.prune)
    if options.json:
        print(json.dumps(asdict(done)))
    else:
        print(
            f"{done.packed} packed in {done.seconds:.1f} s"
            f" ({done.packed / done.seconds:.1f} volumes/s), {done.present} there before,"
            f" {len(done.failed)} failed, {done.pruned} pruned\n"
            f"npz {done.source_bytes / 1e6:.1f} MB, voxels {done.voxel_bytes / 1e6:.1f} MB,"
            f" packs {done.cache_bytes / 1e6:.1f} MB"
        )
        for line in done.failed:
            print(f"  {line}")
    return SOME_FAILED if done.failed else GOOD


def split_roots(split: str, folder: Path, others: list[str], labels: list[str]) -> list[SplitRoot]:
    """Splits from what the command line says.

    Raises:
        UsageError: Not NAME=DIR, or labels of an unknown split.
    """
    roots = {split: SplitRoot(split=split, folder=folder)}
    for text in others:
        name, path = _name_and_folder(text)
        if name in roots:
            raise UsageError(f"--split-root: split {name} was already given")
        roots[name] = SplitRoot(split=name, folder=path)
    for text in labels:
        name, path = _name_and_folder(text)
        if name not in roots:
            raise UsageError(f"--split-labels: expected one of {', '.join(roots)}, received {name}")
        roots[name] = replace(roots[name], labels=path)
    return list(roots.values())


def _name_and_folder(text: str) -> tuple[str, Path]:
    name, separator, folder = text.partition("=")
    if not (name and separator and folder):
        raise UsageError(f"expected NAME=DIR, received {text}")
    return name, Path(folder)
