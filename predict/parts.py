"""Shares of a folder for machines that work side by side."""

from __future__ import annotations

import hashlib
import heapq
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from predict.errors import UsageError

LARGEST_COUNT = 99_999


@dataclass(frozen=True)
class Part:
    """Which share: ``number`` of 1..``count``."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Part:
        """Read "I/N".

        Raises:
            UsageError: Not that, or not 1 <= I <= N.
        """
        match = re.fullmatch(r"([0-9]{1,5})/([0-9]{1,5})", text)
        part = cls(*map(int, match.groups())) if match else cls(0, 0)
        if not 1 <= part.number <= part.count:
            raise UsageError(
                f"--part: expected I/N with 1 <= I <= N <= {LARGEST_COUNT}, as in 3/8, "
                f"received {text!r}"
            )
        return part

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @property
    def report_name(self) -> str:
        """A name of its own for the report, so that parts can share a folder of outputs."""
        return f"report.part-{self.number:03}-of-{self.count:03}.json"


class Share(NamedTuple):
    """What one run predicts.

    Attributes:
        sources: Its cases.
        report_name: Where they are reported.
        facts: What the report says of the share; nothing where it is the whole folder.
    """

    sources: list[Path]
    report_name: str
    facts: dict[str, str]


def take_share(sources: list[Path], part: str | None) -> Share:
    """The share that ``--part`` asks for; everything if None.

    Raises:
        UsageError: As of :meth:`Part.parse`.
    """
    if part is None:
        return Share(sources, "report.json", {})
    own = Part.parse(part)
    sizes = file_sizes(sources)
    facts = {"part": str(own), "listing_sha256": listing_digest(sizes)}
    return Share(deal(sizes, own.count)[own.number - 1], own.report_name, facts)


def file_sizes(files: Sequence[Path]) -> dict[Path, int]:
    """File -> bytes; 0 for what cannot be looked at."""
    return {path: _size(path) for path in files}


def deal(sizes: Mapping[Path, int], count: int) -> list[list[Path]]:
    """Deal files out to parts, largest first, each to the part that has the fewest bytes so far.

    The outcome depends on names and sizes alone, not on their order: whoever lists the same folder
    deals the same way. No part has more bytes than another but for the last file that it got.

    Returns:
        ``count`` lists sorted by name; every file is in exactly one of them.
    """
    parts: list[list[Path]] = [[] for _ in range(count)]
    heap = [(0, 0, number) for number in range(count)]
    for path in sorted(sizes, key=lambda path: (-sizes[path], path)):
        held, files, number = heap[0]
        parts[number].append(path)
        heapq.heapreplace(heap, (held + sizes[path], files + 1, number))
    return [sorted(part) for part in parts]


def listing_digest(sizes: Mapping[Path, int]) -> str:
    """SHA-256 of names and sizes: parts that state the same one have dealt the same folder."""
    lines = sorted(f"{sizes[path]} {path.name}\n" for path in sizes)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
