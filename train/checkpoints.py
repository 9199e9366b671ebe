"""Checkpoints of a run: written whole or not at all, the last two kept."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from predict.errors import UsageError

logger = logging.getLogger(__name__)

STATE = "state.pt"
KEPT = 2


@contextmanager
def new_checkpoint(accelerator: Accelerator, folder: Path, step: int) -> Iterator[Path]:
    """A folder to fill, which becomes FOLDER/step-N once the block has ended.

    Every process must come here; all of them may write. A process that dies on the way leaves a
    hidden folder behind that nobody reads and the next checkpoint removes.
    """
    final = folder / f"step-{step:08d}"
    partial = folder / ".partial"
    if accelerator.is_main_process:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    accelerator.wait_for_everyone()
    yield partial
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        replace_folder(partial, final)
        for old in list_checkpoints(folder)[:-KEPT]:
            shutil.rmtree(old)
    accelerator.wait_for_everyone()


def replace_folder(new: Path, final: Path) -> None:
    """Rename a folder over another one, which is removed."""
    old = final.with_name(f".{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        os.replace(final, old)
    os.replace(new, final)
    shutil.rmtree(old, ignore_errors=True)


def list_checkpoints(folder: Path) -> list[Path]:
    """Finished checkpoints, oldest first."""
    return sorted(folder.glob("step-*"))


def newest_state(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The newest readable checkpoint and its state; an unreadable one is logged and passed over.

    Raises:
        UsageError: There are checkpoints, but none can be read.
    """
    found = list_checkpoints(folder)
    for path in reversed(found):
        try:
            state = torch.load(path / STATE, map_location="cpu", weights_only=True)
        except Exception as error:  # a torn pickle can raise anything
            logger.warning("%s: unreadable, the one before is tried (%s)", path, error)
            continue
        return path, state
    if found:
        raise UsageError(f"{folder}: expected a readable checkpoint, found {len(found)} damaged")
    return None


def exportable(run: Path) -> Path:
    """The folder of a run that ``export`` should read: the best one, else the newest checkpoint.

    Raises:
        UsageError: The run has neither.
    """
    best, found = run / "best", list_checkpoints(run / "checkpoints")
    if best.is_dir():
        return best
    if not found:
        raise UsageError(f"{run}: expected a run with a checkpoint, found none")
    return found[-1]
