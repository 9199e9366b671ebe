from __future__ import annotations

from predict.doctor.check import Check, guarded


def test_a_line_has_what_to_do_where_there_is_something_to_do() -> None:
    assert Check("memory", "ok", "8.0 GB free").line() == "ok    memory     8.0 GB free"
    line = Check("memory", "fail", "0.1 GB free", "end other programs").line()
    assert line == "fail  memory     0.1 GB free; do: end other programs"


def test_a_check_that_breaks_fails_in_one_line() -> None:
    def broken() -> Check:
        raise RuntimeError("no kernel image\nmore")

    check = guarded("precision", broken)
    assert (check.name, check.status) == ("precision", "fail")
    assert check.detail == "the check itself broke: RuntimeError: no kernel image"
    assert check.advice
    good = Check("precision", "ok", "")
    assert guarded("precision", lambda: good) is good
