from __future__ import annotations

import time

import pytest

from predict.case_log import CaseLog
from predict.exit_status import GOOD, SOME_FAILED
from predict.report import CaseReport


def test_reports_are_kept_and_failures_told(capsys: pytest.CaptureFixture[str]) -> None:
    failed = CaseReport("b.npz")
    failed.fail("b.npz: not a readable npz")
    reports = [CaseReport("a.npz", status="ok"), failed]
    log = CaseLog(2)
    before = time.perf_counter()
    with log:
        for report in reports:
            log.done(report)
    assert log.reports == reports
    assert log.status == SOME_FAILED
    values = log.to_dict()
    assert values["unfinished"] == 0
    assert 0 <= float(str(values["wall_seconds"])) <= time.perf_counter() - before
    assert "failed: b.npz: not a readable npz\n" in capsys.readouterr().err


def test_all_good_is_good(capsys: pytest.CaptureFixture[str]) -> None:
    with CaseLog(1) as log:
        log.done(CaseReport("a.npz", status="skipped"))
    assert log.status == GOOD
    assert capsys.readouterr().err == ""


def _interrupt_after_one(log: CaseLog) -> None:
    with log:
        log.done(CaseReport("a.npz", status="ok"))
        raise KeyboardInterrupt


def test_an_interrupted_run_says_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    log = CaseLog(3)
    with pytest.raises(KeyboardInterrupt):
        _interrupt_after_one(log)
    assert log.to_dict()["unfinished"] == 2
    assert log.status == SOME_FAILED
    assert "1 of 3 cases are done, none is half written" in capsys.readouterr().err
