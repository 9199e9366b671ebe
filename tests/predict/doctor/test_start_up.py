from __future__ import annotations

from predict.doctor.start_up import SLOW, check_start_up


def test_stages_are_told() -> None:
    check = check_start_up({"process": 0.11, "imports": 1.5})
    assert (check.status, check.detail) == ("ok", "1.6 s (process 0.1, imports 1.5)")


def test_a_slow_start_is_a_warning() -> None:
    check = check_start_up({"imports": SLOW + 0.1})
    assert check.status == "warn"
    assert check.advice
