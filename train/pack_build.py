"""Bring a cache of packs up to date: pack what is missing, prune what nothing names any more."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from predict.errors import CaseError, UsageError
from train.index import Index
from train.packed_corpus import pack_names
from train.packing import PARTIAL, PackSettings, make_pack, write_pack
from train.pool import map_unordered, progress
from train.raw_case import array_limit, hash_files, open_files, read_raw

ABANDONED_SECONDS = 3600.0


class PackTask(NamedTuple):
    """A case to pack: its files, what they have to hash to, and where the pack goes."""

    label: str
    files: tuple[Path, ...]
    sha256: str
    instance: bool
    name: str


class PackResult(NamedTuple):
    """Whether a pack was written, or why not."""

    label: str
    written: bool
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class PackSummary:
    """What a packing run did.

    Attributes:
        packed: Packs written.
        present: Packs that were there.
        failed: One line for each case that could not be packed.
        pruned: Files removed.
        source_bytes: Of the npz files of all cases.
        voxel_bytes: One byte per voxel of all their images.
        cache_bytes: Of all packs of the index.
        seconds: How long it took.
    """

    packed: int
    present: int
    failed: tuple[str, ...]
    pruned: int
    source_bytes: int
    voxel_bytes: int
    cache_bytes: int
    seconds: float


def build_packs(
    index_path: Path, cache: Path, settings: PackSettings, workers: int, *, prune: bool = False
) -> PackSummary:
    """Pack every case of an index that can be trained on.

    Runs on the same cache, on one machine or several, do not disturb each other: a pack appears
    under its name when it is complete, and its name says what it was made of.

    Args:
        index_path: The index.
        cache: Folder of packs; made where it is missing.
        settings: How to pack.
        workers: Processes; 0 works in this one.
        prune: Remove packs that this index and these settings do not name.

    Raises:
        UsageError: Not an index, or it has no case to train on.
    """
    start = time.monotonic()
    with Index(index_path) as index:
        tasks = _tasks(index, settings)
        source_bytes, voxel_bytes = index.connection.execute(
            "SELECT coalesce(sum(size), 0), coalesce(sum(depth * height * width), 0) FROM cases"
        ).fetchone()
    if not tasks:
        raise UsageError(f"{index_path}: expected cases to train on, found none")
    cache.mkdir(parents=True, exist_ok=True)
    there = pack_names(cache)
    missing = [task for task in tasks.values() if task.name not in there]
    # Several runs on one cache meet less often if each has its own order.
    random.SystemRandom().shuffle(missing)
    job = partial(_pack, cache=cache, settings=settings, limit=array_limit(workers))
    results = list(progress(map_unordered(job, missing, workers, _killed), len(missing), "pack"))
    failed = tuple(sorted(f"{r.label}: {r.error}" for r in results if r.error))
    settings.save(cache)
    return PackSummary(
        packed=sum(result.written for result in results),
        present=len(tasks) - sum(result.written for result in results) - len(failed),
        failed=failed,
        pruned=_prune(cache, tasks) if prune else 0,
        source_bytes=source_bytes,
        voxel_bytes=voxel_bytes,
        cache_bytes=_bytes(cache, tasks),
        seconds=time.monotonic() - start,
    )


def _tasks(index: Index, settings: PackSettings) -> dict[str, PackTask]:
    """By the name of the pack: the same file twice is packed once."""
    roots = index.roots()
    tasks = {}
    for case in index.trainable():
        name = settings.name(case.sha256, case.instance)
        tasks[name] = PackTask(
            f"{case.split}: {case.path}",
            roots[case.split].files(case.path),
            case.sha256,
            case.instance,
            name,
        )
    return tasks


def _pack(task: PackTask, cache: Path, settings: PackSettings, limit: int) -> PackResult:
    path = cache / task.name
    if path.exists():
        return PackResult(task.label, written=False)
    try:
        with open_files(task.files) as files:
            sha256 = hash_files(files)
            if sha256 != task.sha256:
                raise CaseError("changed since it was indexed; run python -m train index")
            raw = read_raw(files, limit)
        pack = make_pack(raw, task.instance, settings)
        about = {"source": task.label, "sha256": sha256, "source_shape": raw.image.shape}
        write_pack(path, pack, about)
    except (CaseError, OSError) as error:
        return PackResult(task.label, False, str(error))
    except MemoryError:
        return PackResult(task.label, False, "does not fit into memory")
    return PackResult(task.label, written=True)


def _killed(task: PackTask) -> PackResult:
    return PackResult(task.label, False, "its process was killed (out of memory?)")


def _prune(cache: Path, wanted: Iterable[str]) -> int:
    """Remove packs that are not wanted, and what runs that were killed have left."""
    stale = [cache / name for name in pack_names(cache) - set(wanted)]
    now = time.time()
    for path in cache.glob(f"**/.*{PARTIAL}"):
        if now - path.stat().st_mtime > ABANDONED_SECONDS:
            stale.append(path)
    for path in stale:
        path.unlink(missing_ok=True)
    return len(stale)


def _bytes(cache: Path, names: Iterable[str]) -> int:
    return sum(path.stat().st_size for name in names if (path := cache / name).exists())
