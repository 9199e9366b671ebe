"""Jobs: a bounded queue, and the one thread that uses the network."""

from __future__ import annotations

import logging
import secrets
import shutil
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from predict import formats
from predict.errors import CaseError, UsageError
from predict.result import PromptResult, Result
from serve.engine import Engine
from serve.errors import RefusalError
from serve.files import write_viewer_mask
from serve.images import ImageStore, KeptImage
from serve.limits import Limits
from serve.schemas import State

logger = logging.getLogger(__name__)
ENDED = (State.DONE, State.FAILED, State.CANCELLED)


class _CancelledError(Exception):
    """The job's owner does not want it any more."""


@dataclass
class Job:
    """Prompts put to an image.

    Attributes:
        stage: What is being done, in a few words.
        progress: 0..1, rises.
        reused: Whether the image had been encoded already.
        result: What was found, without its arrays.
        mask: The mask in the image's format.
        viewer_mask: The mask as NIfTI.
    """

    id: str
    image: KeptImage
    prompts: tuple[str, ...]
    state: State = State.QUEUED
    stage: str = "queued"
    progress: float = 0.0
    error: str | None = None
    reused: bool | None = None
    result: Summary | None = None
    mask: Path | None = None
    viewer_mask: Path | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def folder(self) -> Path:
        """Where its masks are."""
        return self.image.folder / self.id


@dataclass(frozen=True)
class Summary:
    """What stays in memory of a result: all but its arrays."""

    prompts: tuple[PromptResult, ...]
    seconds: Mapping[str, float]
    warnings: tuple[str, ...]


class JobQueue:
    """Takes jobs from many threads; its own thread alone uses the network."""

    def __init__(self, engine: Engine, images: ImageStore, limits: Limits) -> None:
        """Work is done between :meth:`start` and :meth:`stop`."""
        self._engine = engine
        self._images = images
        self._limits = limits
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition(images.lock)
        self._stopping = False
        self._current: tuple[str, Engine] | None = None
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)
        images.on_removed = self.forget

    def start(self) -> None:
        """Start the worker."""
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Cancel everything and wait for the worker to notice, at most ``timeout`` seconds."""
        with self._changed:
            self._stopping = True
            for job in self._jobs.values():
                job.cancelled.set()
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def submit(self, image: KeptImage, prompts: Sequence[str], extends: str | None) -> Job:
        """Queue a job.

        Raises:
            RefusalError: 429 the queue is full; 404 or 409 the job to extend is not there or not
                done; 422 too many prompts, or one twice.
        """
        with self._changed:
            before = () if extends is None else self._finished(extends, image).prompts
            everything = (*before, *(p for p in prompts if p not in before))
            if len(set(everything)) != len(everything):
                raise RefusalError(422, "prompts: expected different ones, received one twice")
            if len(everything) > self._limits.prompts:
                raise RefusalError(
                    422,
                    f"prompts: expected at most {self._limits.prompts}, received {len(everything)}",
                )
            if len(self._waiting) >= self._limits.queue:
                raise RefusalError(429, f"queue: {len(self._waiting)} jobs are waiting; try later")
            job = Job(secrets.token_hex(8), image, everything)
            self._jobs[job.id] = job
            self._waiting.append(job)
            self._images.hold(image, +1)
            self._changed.notify_all()
            return job

    def get(self, identity: str) -> Job:
        """The job.

        Raises:
            RefusalError: 404.
        """
        with self._changed:
            job = self._jobs.get(identity)
        if job is None:
            raise RefusalError(404, f"job {identity}: not here, or removed with its image")
        return job

    def cancel(self, identity: str) -> Job:
        """Cancel a job: at once if it waits, before its next stage if it runs."""
        job = self.get(identity)
        with self._changed:
            job.cancelled.set()
            if job in self._waiting:
                self._waiting.remove(job)
                self._end(job, State.CANCELLED)
        return job

    def forget(self, image: str) -> None:
        """Cancel and drop the jobs of an image that was removed, and let go of its encoding."""
        with self._changed:
            for job in [job for job in self._jobs.values() if job.image.id == image]:
                self.cancel(job.id)
                del self._jobs[job.id]
            if self._current is not None and self._current[0] == image:
                self._current = None

    def _finished(self, identity: str, image: KeptImage) -> Job:
        job = self.get(identity)
        if job.image.id != image.id:
            raise RefusalError(409, f"extends: job {identity} is of another image")
        if job.state is not State.DONE:
            raise RefusalError(409, f"extends: job {identity} is not done but {job.state}")
        return job

    def _end(self, job: Job, state: State, error: str | None = None) -> None:
        with self._changed:
            job.error, job.progress, job.stage = error, 1.0, "finished"
            job.state = state
            self._images.hold(job.image, -1)
            ended = [j for j in self._jobs.values() if j.image is job.image and j.state in ENDED]
            for old in ended[: -self._limits.results]:
                del self._jobs[old.id]
                shutil.rmtree(old.folder, ignore_errors=True)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._stopping:
                    self._changed.wait()
                if self._stopping:
                    return
                job = self._waiting.popleft()
                job.state = State.RUNNING
            try:
                self._work(job)
                self._end(job, State.DONE)
            except _CancelledError:
                self._end(job, State.CANCELLED)
            except (CaseError, UsageError) as error:
                self._end(job, State.FAILED, str(error))
            except Exception as error:  # whatever it is, the next job must run
                if not job.cancelled.is_set():
                    logger.exception("job %s", job.id)
                state = State.CANCELLED if job.cancelled.is_set() else State.FAILED
                self._end(job, state, f"{type(error).__name__}: {error}"[:500])
            self._images.sweep(job.image)

    def _work(self, job: Job) -> None:
        progress = _Progress(job)
        result = self._engine_at(job.image, progress).predict(job.prompts, progress=progress)
        job.reused = not progress.encoded
        progress("writing")
        self._write(job, result)

    def _engine_at(self, image: KeptImage, progress: _Progress) -> Engine:
        """An engine that looks at the image: the current one, or a fresh one instead of it."""
        with self._changed:
            current = self._current
            if current is not None and current[0] == image.id:
                return current[1]
            self._current = None
        del current
        progress("reading")
        engine = self._engine.share()
        engine.set_image(formats.read_volume(image.path, series=image.series))
        with self._changed:
            if not progress.job.cancelled.is_set():
                self._current = (image.id, engine)
        return engine

    def _write(self, job: Job, result: Result) -> None:
        job.folder.mkdir(mode=0o700)
        name = formats.mask_name(Path(job.image.name), result.volume)
        job.mask = result.save(job.folder / name)[0]
        job.viewer_mask = job.folder / "viewer-mask.nii.gz"
        write_viewer_mask(result.labels, result.volume, job.viewer_mask)
        job.result = Summary(result.prompts, result.seconds, result.warnings)


class _Progress:
    """Takes the words before each stage, moves the bar, and ends a cancelled job."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.encoded = False

    def __call__(self, stage: str) -> None:
        if self.job.cancelled.is_set():
            raise _CancelledError
        self.encoded |= stage.startswith("encod") and "text" not in stage
        self.job.stage = stage
        self.job.progress = 0.9 if stage == "writing" else _next(self.job.progress)


def _next(progress: float) -> float:
    """A fifth of what is left before writing; how many stages follow is not known."""
    return progress + (0.85 - progress) * 0.25
