"""Fuzz a reader.

    python -m fuzz npz --executions 2000000 --seconds 1800 --out runs/fuzz

Every execution is checked: read, or refused in one line (CaseError, UsageError); at most 5 s of
CPU time; within the memory bound of `fuzz.targets.BOUND`; nothing tried but reading (`fuzz.guard`).
What breaks a promise is kept as OUT/TARGET/found/N.bin with N.txt beside it, and the search goes
on.
Exit status: 0 nothing found, 1 something found, 2 wrong call.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fuzz.record import Record

MOST_FOUND = 50


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    if importlib.util.find_spec("atheris") is None:
        print("fuzz: expected atheris, found none: pip install -r tests/requirements.txt")
        return 2
    from fuzz.targets import TARGETS

    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("target", choices=[*TARGETS, "all"])
    parser.add_argument("--executions", type=int, default=100_000, help="of each target")
    parser.add_argument("--seconds", type=int, default=600, help="at most, of each target")
    parser.add_argument("--seed", type=int, default=1, help="of the random choices")
    parser.add_argument("--longest", type=int, default=4096, help="bytes of an input at most")
    parser.add_argument("--out", type=Path, default=Path("runs/fuzz"))
    chosen = parser.parse_args(arguments)
    names = list(TARGETS) if chosen.target == "all" else [chosen.target]
    found = 0
    for name in names:
        figures = run(
            name,
            chosen.out / name,
            executions=chosen.executions,
            seconds=chosen.seconds,
            seed=chosen.seed,
            longest=chosen.longest,
        )
        print(json.dumps(figures), flush=True)
        found += len(figures["found"])
    return 1 if found else 0


def run(
    name: str, out: Path, *, executions: int, seconds: float, seed: int, longest: int
) -> dict[str, Any]:
    """Fuzz one target in processes of its own until the executions or the time are spent.

    Returns:
        ``executions``, ``accepted``, ``seconds``, the slowest and the largest execution, and
        ``found``: one line for each promise that was broken.
    """
    from fuzz.targets import TARGETS

    (out / "corpus").mkdir(parents=True, exist_ok=True)
    (out / "found").mkdir(exist_ok=True)
    for index, data in enumerate(TARGETS[name].seeds()):
        (out / "corpus" / f"seed-{index:03d}").write_bytes(data)
    words = out / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in TARGETS[name].words))
    start, found = time.monotonic(), list[str]()
    with tempfile.TemporaryDirectory(dir=_memory_disk(), prefix="text3dsam-fuzz-") as folder:
        scratch = Path(folder)
        record = Record(scratch / "record")
        while len(found) < MOST_FOUND:
            left = executions - record.read()[0]
            time_left = int(seconds - (time.monotonic() - start))
            if left <= 0 or time_left <= 0:
                break
            limits = [f"-runs={left}", f"-max_total_time={time_left}", f"-max_len={longest}"]
            choices = [f"-seed={seed + len(found)}", f"-dict={words}", str(out / "corpus")]
            command = [sys.executable, "-m", "fuzz.worker", name, folder, *limits, *choices]
            with (out / "log.txt").open("a") as log:
                done = subprocess.run(command, stdout=log, stderr=log, check=False)
            if done.returncode == 0:
                break
            found.append(_keep(scratch, out / "found", len(found), done.returncode))
    count, accepted, memory, slowest, total = record.read()
    return {
        "target": name,
        "executions": count,
        "accepted": accepted,
        "wall_seconds": round(time.monotonic() - start),
        "cpu_seconds_of_reading": round(total),
        "slowest_seconds": round(slowest, 3),
        "most_bytes": memory,
        "found": found,
    }


def _keep(scratch: Path, folder: Path, number: int, status: int) -> str:
    """Keep the input that broke a promise, and say how."""
    told, current = scratch / "broken", scratch / "current"
    reason = told.read_text() if told.exists() else f"the process ended with status {status}"
    told.unlink(missing_ok=True)
    if current.exists():
        shutil.move(current, folder / f"{number}.bin")
    (folder / f"{number}.txt").write_text(reason + "\n")
    return reason


def _memory_disk() -> str | None:
    """Files of every execution go where no disk is waited for."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode("latin-1"))


if __name__ == "__main__":
    sys.exit(main())
