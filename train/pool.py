"""Work on many files in parallel, with progress that reads well on a screen and in a log."""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Generic, TypeVar

from tqdm import tqdm

logger = logging.getLogger(__name__)

IN_FLIGHT_PER_WORKER = 4
LOG_SECONDS = 30.0
Task = TypeVar("Task")
Result = TypeVar("Result")


def default_workers() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_unordered(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    workers: int,
    on_death: Callable[[Task], Result],
) -> Iterator[Result]:
    """Results as they come, with few tasks in flight however many there are.

    Args:
        function: Picklable; runs in a worker, or here if there are no workers.
        tasks: Picklable.
        workers: Processes; 0 works in this one.
        on_death: Result of a task that kills its worker even when it runs alone, as the memory
            limit of a machine does.
    """
    if workers == 0:
        yield from map(function, tasks)
        return
    with _Pool(function, workers) as pool:
        for task in tasks:
            pool.submit(task)
            if pool.is_full():
                yield from pool.collect(on_death)
        while pool.running:
            yield from pool.collect(on_death)


class _Pool(Generic[Task, Result]):
    """Processes that are replaced when one of them dies."""

    def __init__(self, function: Callable[[Task], Result], workers: int) -> None:
        self.function, self.workers = function, workers
        self.running: dict[Future[Result], Task] = {}
        self.executor = self._start(workers)

    def __enter__(self) -> _Pool[Task, Result]:
        return self

    def __exit__(self, *_: object) -> None:
        self.executor.shutdown(cancel_futures=True)

    def submit(self, task: Task) -> None:
        try:
            future = self.executor.submit(self.function, task)
        except BrokenProcessPool as error:
            future = Future()
            future.set_exception(error)
        self.running[future] = task

    def is_full(self) -> bool:
        return len(self.running) >= IN_FLIGHT_PER_WORKER * self.workers

    def collect(self, on_death: Callable[[Task], Result]) -> Iterator[Result]:
        """At least one result."""
        done, _ = wait(self.running, return_when=FIRST_COMPLETED)
        if any(isinstance(future.exception(), BrokenProcessPool) for future in done):
            wait(self.running)
            done = set(self.running)
        killed = []
        for future in done:
            task = self.running.pop(future)
            if isinstance(future.exception(), BrokenProcessPool):
                killed.append(task)
            else:
                yield future.result()
        if killed:
            self.executor.shutdown()
            self.executor = self._start(self.workers)
            for task in killed:
                yield self._run_alone(task, on_death)

    def _run_alone(self, task: Task, on_death: Callable[[Task], Result]) -> Result:
        with self._start(1) as executor:
            try:
                return executor.submit(self.function, task).result()
            except BrokenProcessPool:
                return on_death(task)

    @staticmethod
    def _start(workers: int) -> ProcessPoolExecutor:
        # Not forked: the caller may run threads of other libraries.
        return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))


def progress(results: Iterable[Result], total: int, label: str) -> Iterator[Result]:
    """A bar on a terminal; elsewhere one line every half minute."""
    if sys.stderr.isatty():
        yield from tqdm(results, total=total, desc=label, unit="case")
        return
    start = last = time.monotonic()
    for done, result in enumerate(results, 1):
        now = time.monotonic()
        if now - last >= LOG_SECONDS or done == total:
            logger.info(
                "%s",
                tqdm.format_meter(done, total, now - start, prefix=label, unit="case", ncols=0),
            )
            last = now
        yield result
