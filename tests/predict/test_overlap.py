from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from predict.overlap import overlap

PATIENCE = 20.0


class Line:
    """Stages that note who did what, in which thread."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int]] = []
        self.threads: dict[str, set[str]] = {}
        self.starved: set[int] = set()
        self.too_large: set[int] = set()

    def note(self, stage: str, item: int) -> int:
        self.log.append((stage, item))
        self.threads.setdefault(stage, set()).add(threading.current_thread().name)
        return item

    def run(self, count: int, **replaced: Callable[[int], Any]) -> None:
        stages: dict[str, Any] = {
            "read": lambda item: self.note("read", item),
            "read_ahead": lambda item: (
                None if item in self.too_large else self.note("read ahead", item)
            ),
            "compute": lambda item: self.note("compute", item),
            "is_starved": lambda item: item in self.starved,
            "write": lambda item: self.note("write", item) and None,
            **replaced,
        }
        overlap(list(range(count)), **stages)

    def of(self, stage: str) -> list[int]:
        return [item for name, item in self.log if name == stage]


def test_every_item_goes_through_in_order() -> None:
    line = Line()
    line.run(5)
    assert line.of("read") == [0]
    assert line.of("read ahead") == [1, 2, 3, 4]
    assert line.of("compute") == line.of("write") == [0, 1, 2, 3, 4]
    assert line.threads["compute"] == {"MainThread"}
    assert "MainThread" not in line.threads["write"] | line.threads["read ahead"]


@pytest.mark.parametrize("count", [0, 1])
def test_a_single_item_takes_no_thread(count: int) -> None:
    line = Line()
    line.run(count)
    assert line.log == [("read", 0), ("compute", 0), ("write", 0)][: 3 * count]
    assert all(names == {"MainThread"} for names in line.threads.values())


def test_computing_needs_neither_the_reader_nor_the_writer_to_be_at_rest() -> None:
    """It would wait for good if the next were read, or the one before written, after it only."""
    line = Line()
    read, computing = threading.Event(), threading.Event()

    def read_ahead(item: int) -> int:
        if item == 2:
            read.set()
        return item

    def compute(item: int) -> int:
        if item == 1:
            computing.set()
            assert read.wait(PATIENCE)
        return item

    def write(item: int) -> None:
        assert item != 0 or computing.wait(PATIENCE)
        line.note("write", item)

    line.run(3, read_ahead=read_ahead, compute=compute, write=write)
    assert line.of("write") == [0, 1, 2]


def test_no_more_than_one_item_is_read_ahead_and_one_waits_to_be_written() -> None:
    line = Line()
    begun: list[int] = []
    most: list[int] = []

    def write(item: int) -> None:
        line.note("write", item)

    def read_ahead(item: int) -> int:
        begun.append(item)
        most.append(item - len(line.of("write")))
        return item

    line.run(30, read_ahead=read_ahead, write=write)
    assert begun == list(range(1, 30))
    assert max(most) <= 2  # the one being computed, the one being written


def test_an_item_too_large_to_be_read_ahead_is_read_when_all_else_is_done() -> None:
    line = Line()
    line.too_large = {2}
    line.run(4)
    assert line.of("read") == [0, 2]
    assert line.log.index(("write", 1)) < line.log.index(("read", 2))
    assert line.of("write") == [0, 1, 2, 3]


def test_what_starves_beside_others_is_done_again_alone() -> None:
    line = Line()
    line.starved = {1}
    line.run(4)
    again = line.log.index(("read", 1))
    assert line.log[again + 1] == ("compute", 1)
    assert line.log.index(("write", 0)) < again
    assert line.of("compute") == [0, 1, 1, 2, 3]
    assert line.of("write") == [0, 1, 2, 3]


def test_what_starves_alone_is_not_tried_again() -> None:
    line = Line()
    line.starved = {0}
    line.run(1)
    assert line.of("compute") == [0]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_was_computed_is_written_before_an_interrupt_is_passed_on(
    error: type[BaseException],
) -> None:
    line = Line()
    interrupted = threading.Event()

    def compute(item: int) -> int:
        if item == 1:
            interrupted.set()
            raise error
        return item

    def write(item: int) -> None:
        assert interrupted.wait(PATIENCE)
        line.note("write", item)

    with pytest.raises(error):
        line.run(3, compute=compute, write=write)
    assert line.of("write") == [0]


def test_a_reader_that_hangs_does_not_hold_up_an_interrupt() -> None:
    line = Line()
    never = threading.Event()

    def compute(_: int) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        line.run(2, read_ahead=lambda _: never.wait(), compute=compute)
    readers = [thread for thread in threading.enumerate() if thread.name == "read"]
    assert all(thread.daemon for thread in readers)
    never.set()


@pytest.mark.parametrize("stage", ["read_ahead", "write"])
def test_errors_of_the_threads_are_raised(stage: str) -> None:
    def fail(_: int) -> None:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        Line().run(3, **{stage: fail})


@pytest.mark.parametrize("given", [0, 1])
def test_without_threads_the_stages_follow_each_other(
    given: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, started = threading.Thread.start, []

    def scarce(thread: threading.Thread) -> None:
        if len(started) >= given:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", scarce)
    line = Line()
    line.run(3)
    assert line.of("read") == line.of("compute") == line.of("write") == [0, 1, 2]
    assert line.of("read ahead") == []
