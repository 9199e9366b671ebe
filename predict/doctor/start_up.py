"""What a start costs, which counts for the challenge and for every call of a command."""

from __future__ import annotations

from collections.abc import Mapping

from predict.doctor.check import Check

SLOW = 15.0


def check_start_up(seconds: Mapping[str, float]) -> Check:
    """Whether a start takes as long as it should.

    Args:
        seconds: Of the start, by stage.
    """
    total = sum(seconds.values())
    stages = ", ".join(f"{stage} {value:.1f}" for stage, value in seconds.items())
    detail = f"{total:.1f} s ({stages})"
    if total > SLOW:
        advice = "end other programs, keep the files on a local disk and *.pyc beside them"
        return Check("start-up", "warn", detail, advice)
    return Check("start-up", "ok", detail)
