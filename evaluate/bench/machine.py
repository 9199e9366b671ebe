"""Where and when something was measured."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evaluate.bench.process import ROOT

GIB = 2**30


def describe_machine(floor: Mapping[str, Any], load: float) -> dict[str, Any]:
    """Processor, memory, versions, date, load and commit; never a name of the machine.

    Args:
        floor: The report of a floor process, which knows torch, its threads and the device.
        load: Load average of the last minute before the first process was started.
    """
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "device": floor["device"],
        "threads": floor["threads"],
        **floor["versions"],
        "load": round(load, 2),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
    }


def cpu_model(path: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name; its architecture where the system tells no name."""
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def commit() -> str | None:
    """The checked-out commit, with ``+changes`` where files differ from it; None without git."""
    try:
        answers = [
            subprocess.run(
                ["git", *words], cwd=ROOT, capture_output=True, text=True, check=True
            ).stdout.strip()
            for words in (("rev-parse", "--short=10", "HEAD"), ("status", "--porcelain", "-uno"))
        ]
    except (OSError, subprocess.CalledProcessError):
        return None
    return answers[0] + ("+changes" if answers[1] else "")
