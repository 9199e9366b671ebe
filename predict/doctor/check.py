"""A check and what it found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """One line of the doctor.

    Attributes:
        name: Of what was checked.
        status: ``warn`` does not keep prediction from working.
        detail: What was found.
        advice: What to do about it; empty where all is well.
    """

    name: str
    status: Status
    detail: str
    advice: str = ""

    def line(self) -> str:
        """Status, name, detail, advice."""
        text = f"{self.status:5} {self.name:10} {self.detail}"
        return f"{text}; do: {self.advice}" if self.advice else text


def guarded(name: str, check: Callable[[], Check]) -> Check:
    """A check, which fails where it breaks: the others still run."""
    try:
        return check()
    except Exception as error:
        first = (str(error).splitlines() or [""])[0]
        return Check(
            name,
            "fail",
            f"the check itself broke: {type(error).__name__}: {first}",
            "report this line together with the others",
        )
