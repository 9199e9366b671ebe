"""Processes that end at any moment: a handful here, 500 by ``python -m tests.faults.kill``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from predict.atomic import ABANDONED_SECONDS
from predict.cli import main
from predict.exit_status import GOOD
from tests.faults.conftest import Job
from tests.faults.small_cases import ROOT


def test_a_killed_run_leaves_whole_files_and_is_completed(tiny_bundle: Path) -> None:
    """In a process of its own, since forks of one that has computed may hang."""
    command = (sys.executable, "-m", "tests.faults.kill", f"--bundle={tiny_bundle}")
    done = subprocess.run(
        [*command, "--kills=8", "--cases=10"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "problems=[]" in done.stdout


def test_what_a_kill_left_is_no_case_and_is_removed_by_a_later_run(job: Job) -> None:
    left = job.outputs / f".{'0' * 16}.partial"
    assert main(job.arguments()) == GOOD
    left.write_bytes(b"half a mask")
    assert left.name not in job.masks()
    assert main([*job.arguments(), "--skip-existing"]) == GOOD
    assert left.exists()  # somebody may be writing it
    old = left.stat().st_mtime - ABANDONED_SECONDS - 1
    os.utime(left, (old, old))
    assert main([*job.arguments(), "--skip-existing"]) == GOOD
    assert not left.exists()
