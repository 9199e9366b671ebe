"""Parts of the body, as far as class names tell: what certainly does not lie in a case."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path


@cache
def regions() -> dict[str, tuple[str, ...]]:
    """Part of the body -> words in the names of what lies there."""
    text = Path(__file__).with_suffix(".json").read_text(encoding="utf-8")
    return {region: tuple(words) for region, words in json.loads(text).items()}


def regions_of(name: str) -> set[str]:
    """Parts of the body in which a class lies; none if it can be anywhere, like a lesion."""
    lowered = name.lower()
    return {region for region, words in regions().items() if any(w in lowered for w in words)}


def elsewhere(own: Iterable[str], names: Iterable[str]) -> list[str]:
    """Names that lie in other parts of the body than all of one's own.

    Args:
        own: Class names of a case or a data set; nothing is known to lie elsewhere if one of them
            can be anywhere.
        names: Others.
    """
    places = [regions_of(name) for name in own]
    if not places or not all(places):
        return []
    taken = set().union(*places)
    return [name for name in names if (there := regions_of(name)) and not there & taken]
