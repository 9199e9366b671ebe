"""Bring an index up to date: open what is new or changed, forget what is gone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from train.catalogue import Catalogue
from train.index import Index, identity
from train.index_check import CheckedCase, check_case
from train.pool import map_unordered, progress
from train.raw_case import Defect, array_limit
from train.source_files import SourceFile, SplitRoot, find_files

BATCH_CASES, BATCH_SECONDS = 256, 5.0


@dataclass(frozen=True, kw_only=True)
class BuildSummary:
    """What an indexing run did.

    Attributes:
        opened: Files that were opened.
        unchanged: Cases that were not.
        removed: Cases whose file is gone.
        seconds: How long it took.
    """

    opened: int
    unchanged: int
    removed: int
    seconds: float


def build_index(
    path: Path, roots: Sequence[SplitRoot], catalogue: Catalogue, workers: int
) -> BuildSummary:
    """Index all cases of the splits; a run that was killed goes on where it was.

    Args:
        path: The index; made where it is missing.
        roots: Splits.
        catalogue: Prompts and provenance.
        workers: Processes; 0 works in this one.

    Raises:
        UsageError: A folder is missing, or ``path`` is something else than an index.
    """
    start = time.monotonic()
    sources = [source for root in roots for source in find_files(root, catalogue)]
    with Index(path, write=True) as index:
        index.set_sources(roots, catalogue)
        known = index.stored_files()
        changed, renamed = [], []
        for source in sources:
            stored = known.pop((source.split, source.path), None)
            if stored is None or (stored.stamp, stored.instance) != (source.stamp, source.instance):
                changed.append(source)
            elif stored.identity != identity(source):
                renamed.append((stored.case_id, source))
        index.remove(stored.case_id for stored in known.values())
        index.rename(renamed)
        _check_all(index, changed, workers)
    return BuildSummary(
        opened=len(changed),
        unchanged=len(sources) - len(changed),
        removed=len(known),
        seconds=time.monotonic() - start,
    )


def _check_all(index: Index, sources: Sequence[SourceFile], workers: int) -> None:
    checked = map_unordered(
        partial(check_case, limit=array_limit(workers)), sources, workers, _killed
    )
    batch: list[CheckedCase] = []
    last = time.monotonic()
    for case in progress(checked, len(sources), "index"):
        batch.append(case)
        if len(batch) >= BATCH_CASES or time.monotonic() - last > BATCH_SECONDS:
            index.store(batch)
            batch, last = [], time.monotonic()
    index.store(batch)


def _killed(source: SourceFile) -> CheckedCase:
    message = "the process that read it was killed (out of memory?)"
    return CheckedCase(source=source, defects=[(Defect.TOO_LARGE, message)])
