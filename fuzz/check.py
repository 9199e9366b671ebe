"""One reading of one input, and whether it kept the promises."""

from __future__ import annotations

import resource
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from fuzz.guard import Breach, Guard
from fuzz.targets import BOUND, Target
from predict.errors import CaseError, UsageError

MOST_SECONDS = 5.0
MEMORY_WORDS = ("does not fit into memory", "MemoryError")


@dataclass(kw_only=True)
class Outcome:
    """What a reading did.

    Attributes:
        accepted: It was read, and not refused.
        seconds: CPU time.
        memory: Bytes by which the peak of the process grew.
        broken: Which promise was broken and how; empty if none.
    """

    accepted: bool
    seconds: float
    memory: int
    broken: str


def check(target: Target, data: bytes, folder: Path, guard: Guard) -> Outcome:
    """Read an input under the guard and measure it."""
    accepted, broken = False, ""
    before, start = _peak(), time.process_time()
    try:
        with guard.armed(folder):
            target.read(data, folder)
        accepted = True
    except (CaseError, UsageError) as error:
        broken = _odd_message(str(error))
    except Breach as error:
        broken = f"tried more than reading: {error}"
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        name = type(error).__name__
        broken = f"raised {name} at {Path(place.filename).name}:{place.lineno}: {str(error)[:200]}"
    seconds, memory = time.process_time() - start, _peak() - before
    if guard.breaches:
        broken = f"tried more than reading: {guard.breaches[0]}"
    if seconds > MOST_SECONDS:
        broken = f"took {seconds:.1f} s of CPU time"
    if memory > BOUND:
        broken = f"took {memory} bytes"
    return Outcome(accepted=accepted, seconds=seconds, memory=memory, broken=broken)


def _odd_message(message: str) -> str:
    if "\n" in message or not message:
        return f"a message that is not one line: {message!r}"
    if any(word in message for word in MEMORY_WORDS):
        return f"memory ran out: {message}"
    return ""


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
