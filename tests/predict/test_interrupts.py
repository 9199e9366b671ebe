from __future__ import annotations

import signal
import threading

import pytest

from predict.interrupts import ENDINGS, Interrupts, interruptible


def _raise_twice(number: int) -> Interrupts:
    with Interrupts() as interrupts:
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            signal.raise_signal(number)
            signal.raise_signal(signal.SIGTERM)
            return interrupts
    raise AssertionError("expected KeyboardInterrupt")


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_the_first_signal_interrupts_and_later_ones_do_not(number: int, status: int) -> None:
    assert _raise_twice(number).status == status


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in ENDINGS]
    with Interrupts() as interrupts:
        assert [signal.getsignal(number) for number in ENDINGS] != before
    assert [signal.getsignal(number) for number in ENDINGS] == before
    assert interrupts.status == 130


def test_what_the_caller_ignores_stays_ignored() -> None:
    """As after nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_leave_signals_alone() -> None:
    seen = []

    def enter() -> None:
        with Interrupts():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


def test_a_command_ends_with_its_own_status_or_that_of_the_signal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def terminated() -> int:
        signal.raise_signal(signal.SIGTERM)
        return 0

    assert interruptible(lambda: 1) == 1
    assert capsys.readouterr().err == ""
    assert interruptible(terminated) == 143
    assert capsys.readouterr().err == "interrupted\n"
