from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from serve.errors import RefusalError
from serve.images import ImageStore, KeptImage
from serve.jobs import ENDED, Job, JobQueue
from serve.limits import Limits
from serve.schemas import State
from tests.serve.conftest import FakeSegmenter, write_scan

LIMITS = Limits(queue=2, results=2, prompts=4)


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    """An empty store."""
    return ImageStore(tmp_path, LIMITS)


@pytest.fixture
def engine() -> FakeSegmenter:
    """Logs what it encodes."""
    return FakeSegmenter()


@pytest.fixture
def queue(store: ImageStore, engine: FakeSegmenter) -> Iterator[JobQueue]:
    """A working queue."""
    queue = JobQueue(engine, store, LIMITS)
    queue.start()
    yield queue
    queue.stop()


def add(store: ImageStore) -> KeptImage:
    """The synthetic scan."""
    with store.arriving() as image:
        image.name = "scan.nii.gz"
        image.path = write_scan(image.folder / image.name)
    return image


def until(job: Job, *states: State) -> Job:
    """The job once it is in one of the states."""
    end = time.monotonic() + 10
    while job.state not in states:
        assert time.monotonic() < end, job
        time.sleep(0.005)
    return job


def test_a_job_finds_and_writes(queue: JobQueue, store: ImageStore) -> None:
    job = until(queue.submit(add(store), ["bright", "unicorn", "grey"], None), *ENDED)
    assert (job.state, job.error, job.progress, job.reused) == (State.DONE, None, 1.0, False)
    assert job.result is not None
    assert [p.voxels for p in job.result.prompts] == [24, 0, 40]
    for path in (job.mask, job.viewer_mask):
        labels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
        np.testing.assert_array_equal(np.bincount(labels.ravel()), [480 - 64, 24, 0, 40])


def test_more_prompts_keep_ids_and_encoding(
    queue: JobQueue, store: ImageStore, engine: FakeSegmenter
) -> None:
    image = add(store)
    first = until(queue.submit(image, ["bright"], None), *ENDED)
    second = until(queue.submit(image, ["grey", "bright"], first.id), *ENDED)
    assert second.prompts == ("bright", "grey")
    assert second.reused is True
    assert len(engine.encodings) == 1
    until(queue.submit(add(store), ["grey"], None), *ENDED)
    assert len(engine.encodings) == 2


def test_only_a_finished_job_of_the_same_image_is_extended(
    queue: JobQueue, store: ImageStore
) -> None:
    image = add(store)
    failed = until(queue.submit(image, ["broken"], None), *ENDED)
    with pytest.raises(RefusalError, match="not done but failed"):
        queue.submit(image, ["grey"], failed.id)
    done = until(queue.submit(image, ["bright"], None), *ENDED)
    with pytest.raises(RefusalError, match="of another image"):
        queue.submit(add(store), ["grey"], done.id)
    with pytest.raises(RefusalError, match="not here"):
        queue.submit(image, ["grey"], "none")


@pytest.mark.parametrize(
    ("prompts", "words"),
    [(["a", "a"], "received one twice"), (list("abcde"), "at most 4, received 5")],
)
def test_prompts_are_bounded_and_differ(
    queue: JobQueue, store: ImageStore, prompts: list[str], words: str
) -> None:
    with pytest.raises(RefusalError, match=words):
        queue.submit(add(store), prompts, None)


def test_failures_are_one_line_and_the_next_job_runs(queue: JobQueue, store: ImageStore) -> None:
    image = add(store)
    broken = until(queue.submit(image, ["broken"], None), *ENDED)
    assert (broken.state, broken.error) == (State.FAILED, "RuntimeError: the network fell over")
    refused = until(queue.submit(image, ["refused"], None), *ENDED)
    assert refused.error == "prompt 1: expected a structure, received 'refused'"
    assert until(queue.submit(image, ["bright"], None), *ENDED).state is State.DONE


def test_running_and_waiting_jobs_are_cancelled(queue: JobQueue, store: ImageStore) -> None:
    image = add(store)
    running = until(queue.submit(image, ["slow"], None), State.RUNNING)
    waiting = queue.submit(image, ["bright"], None)
    assert queue.cancel(waiting.id).state is State.CANCELLED
    queue.cancel(running.id)
    assert until(running, *ENDED).state is State.CANCELLED
    assert image.waiting == 0
    again = until(queue.submit(image, ["bright"], None), *ENDED)
    assert again.state is State.DONE


def test_a_full_queue_refuses(queue: JobQueue, store: ImageStore) -> None:
    image = add(store)
    running = until(queue.submit(image, ["slow"], None), State.RUNNING)
    for _ in range(2):
        queue.submit(image, ["bright"], None)
    with pytest.raises(RefusalError, match="2 jobs are waiting") as refusal:
        queue.submit(image, ["bright"], None)
    assert refusal.value.status == 429
    queue.cancel(running.id)


def test_removing_an_image_ends_its_jobs_and_leaves_no_file(
    queue: JobQueue, store: ImageStore
) -> None:
    image = add(store)
    running = until(queue.submit(image, ["slow"], None), State.RUNNING)
    waiting = queue.submit(image, ["bright"], None)
    store.remove(image.id)
    assert until(running, *ENDED).state is State.CANCELLED
    assert waiting.state is State.CANCELLED
    with pytest.raises(RefusalError, match="removed with its image"):
        queue.get(running.id)
    until(queue.submit(add(store), ["bright"], None), *ENDED)
    assert not image.folder.exists()


def test_old_results_make_room(queue: JobQueue, store: ImageStore) -> None:
    image = add(store)
    jobs = [until(queue.submit(image, ["bright"], None), *ENDED) for _ in range(3)]
    with pytest.raises(RefusalError, match="not here"):
        queue.get(jobs[0].id)
    assert jobs[0].mask is not None
    assert not jobs[0].mask.exists()
    assert queue.get(jobs[1].id) is jobs[1]


def test_stop_cancels_what_runs(store: ImageStore) -> None:
    queue = JobQueue(FakeSegmenter(), store, LIMITS)
    queue.start()
    job = until(queue.submit(add(store), ["slow"], None), State.RUNNING)
    queue.stop()
    assert job.state is State.CANCELLED
