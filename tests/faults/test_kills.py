"""Processes that end at any moment: a handful here, 500 by ``python -m tests.faults.kill``."""

from __future__ import annotations

import os
from pathlib import Path

from predict.atomic import ABANDONED_SECONDS
from tests.faults.conftest import Job
from tests.faults.kill import Experiment


def test_a_killed_run_leaves_whole_files_and_is_completed(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    tally = Experiment(tmp_path, tiny_bundle, 10).kill(5, seed=1)
    assert tally.problems == []
    assert tally.kills.total() == 5
    assert tally.completed >= 1


def test_what_a_kill_left_is_no_case_and_is_removed_by_a_later_run(job: Job) -> None:
    left = job.outputs / f".{'0' * 16}.partial"
    assert job.run()[0] == 0
    left.write_bytes(b"half a mask")
    assert left.name not in job.masks()
    assert job.run("--skip-existing")[0] == 0
    assert left.exists()  # somebody may be writing it
    old = left.stat().st_mtime - ABANDONED_SECONDS - 1
    os.utime(left, (old, old))
    assert job.run("--skip-existing")[0] == 0
    assert not left.exists()
