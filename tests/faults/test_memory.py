"""Memory runs out: an address space that may not grow, a control group that is too small."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.faults.conftest import Job
from tests.faults.small_cases import ROOT

CGROUP = Path("/sys/fs/cgroup/memory")
BIG = "case0015.npz"
LIMITED = """
import resource, sys
import predict.folder
from predict.cli import main
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + int(sys.argv[1]) * 2**20,) * 2)
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture
def with_big(job: Job, tmp_path: Path) -> Job:
    """Three small cases and, after the second, one of 200 MB."""
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    for number in range(3):
        shutil.copy(job.inputs / f"case{number:03}.npz", inputs)
    np.savez_compressed(
        inputs / BIG,
        imgs=np.broadcast_to(np.uint8(0), (200, 1000, 1000)),
        spacing=np.ones(3),
        text_prompts=np.array({"1": "liver", "instance_label": 0}, dtype=object),
    )
    return dataclasses.replace(job, inputs=inputs)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_case_that_does_not_fit_fails_alone(with_big: Job, expected: dict[str, bytes]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "600", *with_big.arguments()],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert f"failed: {BIG}: " in done.stderr
    assert "Traceback" not in done.stderr
    masks = with_big.masks()
    assert masks.pop(BIG)
    assert len(masks) == 3
    assert all(expected[name] == content for name, content in masks.items())
    with np.load(with_big.outputs / BIG) as arrays:
        assert arrays["segs"].shape == (200, 1000, 1000)
        assert not arrays["segs"].any()


@pytest.fixture
def small_cgroup() -> Iterator[Path]:
    """A group of processes with 300 MB."""
    group = CGROUP / f"text3dsam-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(300 * 2**20))
    except OSError:
        pytest.skip("no memory cgroup (version 1) can be made here")
    yield group
    group.rmdir()


def test_a_case_that_its_control_group_cannot_hold_is_refused_before_the_kernel_kills(
    with_big: Job, expected: dict[str, bytes], small_cgroup: Path
) -> None:
    status, _ = with_big.run(
        preexec_fn=lambda: (small_cgroup / "cgroup.procs").write_text(str(os.getpid()))
    )
    assert status == 1
    assert "of memory" in with_big.report()[BIG]["errors"][0]
    masks = with_big.masks()
    assert masks.pop(BIG)
    assert len(masks) == 3
    assert all(expected[name] == content for name, content in masks.items())
