"""One process, watched from outside."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from predict.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
KIB_PER_MB = 1024 if platform.system() == "Linux" else 2**20


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a process cost.

    Attributes:
        seconds: Wall time from before its start until it is gone.
        cpu_seconds: Of all its threads and of the processes it waited for.
        peak_memory_mb: Largest resident size of it or of any process it waited for.
        output: What it printed.
    """

    seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    output: str = ""


def spend(command: Sequence[str], *, folder: Path = ROOT, threads: int | None = None) -> Spent:
    """Run a command to its end.

    Args:
        command: Program and arguments.
        folder: Where it runs.
        threads: What OMP_NUM_THREADS is set to; left as it is if None.

    Raises:
        UsageError: It cannot be started or does not end with exit status 0.
    """
    limit = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **limit},
                stdout=output,
                stderr=errors,
                preexec_fn=_fork_in_earnest,
            )
        except OSError as error:
            raise UsageError(f"{command[0]}: cannot be started ({error.strerror})") from error
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise UsageError(
                f"{_name(command)}: expected exit status 0, received {process.returncode}: "
                f"{_last_line(_text(errors))}"
            )
        return Spent(
            seconds=seconds,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            peak_memory_mb=round(usage.ru_maxrss / KIB_PER_MB, 1),
            output=_text(output),
        )


def _fork_in_earnest() -> None:
    """Given to Popen, it rules out vfork, after which Linux adds our own peak to the child's."""


def _name(command: Sequence[str]) -> str:
    """What a message calls a command: ``python -m MODULE ...`` by its module."""
    return command[command.index("-m") + 1] if "-m" in command else " ".join(command[:2])


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return (lines or ["no message"])[-1].removeprefix("error: ")[:300]
