"""Whether cases can be read and masks be written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from predict.doctor.check import Check, Status
from predict.errors import UsageError
from predict.npz import list_cases
from predict.writable import make_output_folder

ENOUGH_DISK, LEAST_DISK = 1e9, 50e6
USER = 'or start the container with --user "$(id -u):$(id -g)"'


def check_inputs(folder: Path | None) -> Check:
    """Whether cases are there and readable.

    Args:
        folder: Of the npz files; None where none was named.
    """
    if folder is None:
        return Check("inputs", "ok", "no folder named (--inputs)")
    advice = f"chmod -R a+rX {folder}, {USER}"
    if not folder.is_dir():
        return Check("inputs", "fail", f"{folder} is not a folder", "mount it, or name another")
    if not os.access(folder, os.R_OK | os.X_OK):
        return Check("inputs", "fail", f"{folder} is closed to this user", advice)
    try:
        cases = list_cases(folder)
    except UsageError as error:
        return Check("inputs", "warn", str(error), "put cases (NAME.npz) there")
    closed = [case.name for case in cases if not os.access(case, os.R_OK)]
    if closed:
        detail = f"{folder}: {len(closed)} of {len(cases)} cases closed, first {closed[0]}"
        return Check("inputs", "fail", detail, advice)
    return Check("inputs", "ok", f"{folder}: {len(cases)} cases")


def check_outputs(folder: Path | None) -> Check:
    """Whether the folder can be written, or made, and the disk has room.

    Args:
        folder: For the masks; None where none was named.
    """
    if folder is None:
        return Check("outputs", "ok", "no folder named (--outputs)")
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        make_output_folder(there)
    except UsageError as error:
        return Check("outputs", "fail", str(error), f"chmod a+rwx {there}, {USER}")
    free = shutil.disk_usage(there).free
    detail = f"{folder} can be written, {free / 1e9:.1f} GB free"
    if free < ENOUGH_DISK:
        status: Status = "fail" if free < LEAST_DISK else "warn"
        return Check("outputs", status, detail, "make room: a mask takes up to some MB")
    return Check("outputs", "ok", detail)
