"""Which subjects are held out for validation."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from train.corpus import CaseEntry


class Split(NamedTuple):
    """Indices of the cases to train on and of those held out."""

    training: list[int]
    held_out: list[int]


def split_subjects(entries: Sequence[CaseEntry], fraction: float, seed: int) -> Split:
    """Hold out a share of every data set's subjects, chosen by hash.

    A subject with cases in several data sets is on one side in all of them. No data set loses all
    of its subjects, and one with several subjects gives at least one. The choice depends on names
    and seed only, not on the order of the cases.

    Args:
        entries: The cases.
        fraction: Share of the subjects; 0 holds out none.
        seed: Another seed, another choice.
    """
    members: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        members[entry.dataset].add(entry.subject)
    chosen: set[str] = set()
    for subjects in members.values() if fraction > 0 else ():
        count = min(len(subjects) - 1, max(1, round(fraction * len(subjects))))
        chosen.update(sorted(subjects, key=lambda name: hash_name(name, seed))[:count])
    for subjects in members.values():
        if subjects <= chosen:
            chosen -= subjects
    held_out = [i for i, entry in enumerate(entries) if entry.subject in chosen]
    training = [i for i, entry in enumerate(entries) if entry.subject not in chosen]
    return Split(training, held_out)


def hash_name(name: str, seed: int) -> str:
    """A fixed random order of names."""
    return hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()
