"""A control group of our own (v1 or v2) with a CPU quota or a memory limit."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from predict.errors import UsageError

ROOT = Path("/sys/fs/cgroup")
PERIOD = 100_000  # microseconds


@contextmanager
def control_group(
    *, cpus: float | None = None, memory: int | None = None, root: Path = ROOT
) -> Iterator[list[str]]:
    """Make a control group; removed at the end, when no process may be in it any more.

    Args:
        cpus: CPU seconds per second.
        memory: Bytes.
        root: Where control groups are mounted.

    Yields:
        The beginning of a command line that runs what follows it in the group.

    Raises:
        UsageError: Groups cannot be made here.
    """
    name = f"text3dsam-{os.getpid()}"
    with ExitStack() as stack:
        folders = [
            stack.enter_context(_group(root / controller / name, settings))
            for controller, settings in _settings(cpus, memory, v2=_is_v2(root)).items()
        ]
        joins = "".join(f"echo $$ > {folder}/cgroup.procs; " for folder in folders)
        yield ["sh", "-c", f'set -e; {joins}exec "$@"', "sh"]


def _is_v2(root: Path) -> bool:
    return (root / "cgroup.controllers").exists()


def _settings(
    cpus: float | None, memory: int | None, *, v2: bool
) -> dict[str, Sequence[tuple[str, str]]]:
    """Files to write, by the controller's folder ("" for the one of version 2)."""
    quota = None if cpus is None else str(int(cpus * PERIOD))
    if v2:
        limits = [("memory.max", str(memory))] if memory else []
        return {"": [*([("cpu.max", f"{quota} {PERIOD}")] if quota else []), *limits]}
    settings: dict[str, Sequence[tuple[str, str]]] = {}
    if quota:
        settings["cpu"] = [("cpu.cfs_period_us", str(PERIOD)), ("cpu.cfs_quota_us", quota)]
    if memory:
        settings["memory"] = [("memory.limit_in_bytes", str(memory))]
    return settings


@contextmanager
def _group(folder: Path, settings: Sequence[tuple[str, str]]) -> Iterator[Path]:
    try:
        folder.mkdir()
    except OSError as error:
        raise UsageError(
            f"{folder}: no control group can be made here ({error.strerror})"
        ) from error
    try:
        for name, value in settings:
            try:
                (folder / name).write_text(value)
            except OSError as error:
                raise UsageError(f"{folder / name}: cannot be set ({error.strerror})") from error
        yield folder
    finally:
        folder.rmdir()
