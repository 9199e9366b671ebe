"""The disk fills up, the output folder vanishes or cannot be written any more."""

from __future__ import annotations

import dataclasses
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import COUNT, Job, is_background

Prefix = Callable[..., tuple[str, ...]]


def wait_for_outputs(job: Job, count: int) -> None:
    """Until a run has written so many."""
    for _ in range(20000):
        if len(job.masks()) >= count:
            return
        time.sleep(0.001)
    pytest.fail(f"{count} outputs never came")


@pytest.mark.parametrize("kilobytes", [0, 12])
def test_a_full_disk_costs_no_mask_that_fitted(
    job: Job, expected: dict[str, bytes], in_own_mounts: Prefix, kilobytes: int
) -> None:
    """On a tmpfs of a few pages; what is on it when the run ends is copied out."""
    job.outputs.mkdir()
    saved = job.outputs.parent / "saved"
    script = (
        f'mount -t tmpfs -o size={max(4, kilobytes)}k tmpfs "{job.outputs}"\n'
        + (f'head -c 4k /dev/zero > "{job.outputs}/filler"\n' if kilobytes == 0 else "")
        + f'status=0; "$@" || status=$?; cp -r "{job.outputs}" "{saved}"; exit $status'
    )
    status, messages = dataclasses.replace(job, prefix=in_own_mounts(script)).run()
    assert status == 1
    assert "No space left on device" in messages
    assert "Traceback" not in messages
    job = dataclasses.replace(job, outputs=saved)
    masks = job.masks()
    assert len(masks) == kilobytes // 4
    assert all(expected[name] == content for name, content in masks.items())
    assert not list(saved.glob(".*"))


def test_a_file_that_may_not_grow_is_a_failed_case(job: Job, expected: dict[str, bytes]) -> None:
    """RLIMIT_FSIZE between the sizes of the masks: works for anybody, on any disk."""
    limit = sorted(map(len, expected.values()))[COUNT // 2]
    status, messages = job.run(
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )
    assert status == 1
    assert "error: [Errno 27] File too large" in messages  # the report is larger than any mask
    assert "Traceback" not in messages
    fits = {name for name, content in expected.items() if len(content) <= limit}
    assert len(fits) < COUNT
    masks = job.masks()
    assert {name for name in masks if masks[name] == expected[name]} == fits
    assert all(is_background(job.outputs / name) for name in masks.keys() - fits)
    assert job.run("--skip-existing")[0] == 0
    assert job.masks() == expected
    statuses = {name: case["status"] for name, case in job.report().items()}
    assert {name for name, status in statuses.items() if status == "skipped"} == fits


def test_an_output_folder_that_vanishes_ends_in_one_line(job: Job) -> None:
    process = job.start()
    wait_for_outputs(job, 2)
    moved = job.outputs.rename(job.outputs.with_name("moved"))
    _, messages = process.communicate(timeout=600)
    assert process.returncode == 1
    assert "No such file or directory" in messages
    assert "Traceback" not in messages
    assert not job.outputs.exists()
    assert len(list(moved.glob("*.npz"))) >= 2


def test_an_output_folder_that_comes_back_is_written_again(
    job: Job, expected: dict[str, bytes]
) -> None:
    process = job.start()
    wait_for_outputs(job, 2)
    shutil.rmtree(job.outputs, ignore_errors=True)
    job.outputs.mkdir(exist_ok=True)
    _, messages = process.communicate(timeout=600)
    assert process.returncode in (0, 1), messages
    assert all(expected[name] == content for name, content in job.masks().items())
    assert job.run("--skip-existing")[0] == 0
    assert job.masks() == expected


def test_an_output_folder_that_turns_read_only_keeps_what_it_has(
    job: Job, expected: dict[str, bytes], in_own_mounts: Prefix
) -> None:
    """A mount of its own is made read-only after the second mask."""
    job.outputs.mkdir()
    out = job.outputs
    script = (
        f'mount --bind "{out}" "{out}"\n'
        f'(until [ -e "{out}/case001.npz" ]; do sleep 0.01; done\n'
        f' mount -o remount,ro,bind "{out}") &'
    )
    status, messages = dataclasses.replace(job, prefix=in_own_mounts(script)).run()
    assert status == 1
    assert "Read-only file system" in messages
    assert "Traceback" not in messages
    masks = job.masks()
    assert 2 <= len(masks) < COUNT
    assert all(expected[name] == content for name, content in masks.items())


def test_a_folder_that_cannot_be_written_is_found_out_before_any_work(
    job: Job, in_own_mounts: Prefix
) -> None:
    job.outputs.mkdir()
    script = f'mount --bind "{job.outputs}" "{job.outputs}"; mount -o remount,ro,bind "$_"'
    script = script.replace("$_", str(job.outputs))
    status, messages = dataclasses.replace(job, prefix=in_own_mounts(script)).run()
    assert (status, messages) == (
        2,
        f"error: output folder {job.outputs}: not writable (Read-only file system)\n",
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("streams", "status"), [("<&- >&- 2>&-", 0), (">/dev/full 2>/dev/full", 1)]
)
def test_full_or_closed_streams_cost_no_mask(
    job: Job, expected: dict[str, bytes], streams: str, status: int
) -> None:
    """A full stdout makes the call fail, but not before everything is written."""
    redirected = dataclasses.replace(job, prefix=("sh", "-c", f'exec "$@" {streams}', "sh"))
    assert redirected.run()[0] == status
    assert job.masks() == expected
    assert len(job.report()) == COUNT
