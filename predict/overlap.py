"""A line of work in three stages, of which the outer two have threads of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

T = TypeVar("T")
Item = TypeVar("Item")
Job = TypeVar("Job")


def overlap(
    items: Sequence[Item],
    *,
    read: Callable[[Item], Job],
    read_ahead: Callable[[Item], Job | None],
    compute: Callable[[Job], Job],
    is_starved: Callable[[Job], bool],
    write: Callable[[Job], None],
) -> None:
    """Compute on one item while the next is read and the one before is written.

    There are at most three jobs at a time, one in each stage. An item that may not be read ahead,
    and one that starved beside others, goes through the line alone. A single item takes no thread,
    and where the machine gives none, the stages follow each other.

    Args:
        items: In the order in which they are computed and written.
        read: Makes a job of an item, with the other stages at rest.
        read_ahead: The same in a thread beside the others; None where there is no room for that.
        compute: Called in the calling thread.
        is_starved: Whether a computed job failed for want of memory.
        write: Called in order, each call after the one before; what it was given is finished even
            where the calling thread is interrupted.

    Raises:
        BaseException: What a stage or an interrupt raises. By then nothing is being written any
            more; what was being read is dropped.
    """
    with ThreadPoolExecutor(1, "write") as writer:
        if len(items) < 2 or not _works(writer):
            for item in items:
                write(compute(read(item)))
            return
        ahead: Future[Job | None] | None = None
        writing: Future[None] | None = None
        for item, following in zip(items, [*items[1:], None], strict=True):
            job = None if ahead is None else ahead.result()
            if job is None:
                _wait(writing)
                job = read(item)
            ahead = None if following is None else _beside(partial(read_ahead, following))
            job = compute(job)
            if is_starved(job) and (ahead or writing):
                del job
                _wait(ahead)
                _wait(writing)
                ahead = None
                job = compute(read(item))
            _wait(writing)
            writing = writer.submit(write, job)
            del job
        _wait(writing)


def _works(pool: ThreadPoolExecutor) -> bool:
    """Whether its one thread could be started, which it then keeps."""
    try:
        pool.submit(int).result()
    except RuntimeError:
        return False
    return True


def _wait(future: Future[T] | None) -> None:
    if future is not None:
        future.result()


def _beside(call: Callable[[], T]) -> Future[T] | None:
    """Make a call in a thread that does not keep the process from ending; None: there is none."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # raised where the result is asked for
            future.set_exception(error)

    try:
        threading.Thread(target=run, name="read", daemon=True).start()
    except RuntimeError:
        return None
    return future
