"""What a bundle was trained on, for people: classes, modalities and ways to ask for them.

Kept in a bundle's ``prompts.json``; a bundle without one works, it only cannot tell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from predict.errors import BundleError

FORMAT = 1
MODALITIES = ("CT", "MR", "PET", "US", "Microscopy")


@dataclass(frozen=True, kw_only=True)
class KnownClass:
    """A structure in a modality.

    Attributes:
        name: What it is called, such as "left kidney".
        modality: One of MODALITIES.
        datasets: Training data sets that have it.
        wordings: Other names of the same structure.
        examples: Whole prompts that ask for it.
    """

    name: str
    modality: str
    datasets: tuple[str, ...] = ()
    wordings: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The name and the wordings."""
        return (self.name, *self.wordings)


@dataclass(frozen=True)
class KnownPrompts:
    """All classes of a bundle, by modality and name."""

    classes: tuple[KnownClass, ...]

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those that occur, in the order of MODALITIES."""
        return tuple(m for m in MODALITIES if any(c.modality == m for c in self.classes))

    def of(self, modality: str | None) -> tuple[KnownClass, ...]:
        """Classes of a modality; all of them for None."""
        return tuple(c for c in self.classes if modality in (None, c.modality))

    def joined(self, other: KnownPrompts) -> KnownPrompts:
        """Both lists; where both have a class, what they say of it together."""
        table = {(c.modality, c.name): c for c in self.classes}
        for new in other.classes:
            old = table.get((new.modality, new.name), new)
            table[new.modality, new.name] = KnownClass(
                name=new.name,
                modality=new.modality,
                datasets=_union(old.datasets, new.datasets),
                wordings=_union(old.wordings, new.wordings),
                examples=_union(old.examples, new.examples),
            )
        order = {modality: i for i, modality in enumerate(MODALITIES)}
        return KnownPrompts(
            tuple(table[key] for key in sorted(table, key=lambda k: (order[k[0]], k[1])))
        )

    def to_json(self) -> bytes:
        """The text of a prompts.json."""
        table = {"format": FORMAT, "classes": [asdict(c) for c in self.classes]}
        return (json.dumps(table, indent=1, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_table(cls, table: Mapping[str, Any], source: str) -> KnownPrompts:
        """Read what :meth:`to_json` wrote.

        Raises:
            BundleError: Something else.
        """
        if table.get("format") != FORMAT:
            raise BundleError(
                f"{source}: expected format {FORMAT}, received {table.get('format')!r}"
            )
        try:
            classes = [
                KnownClass(
                    name=str(entry["name"]),
                    modality=_known_modality(entry["modality"]),
                    **{key: tuple(map(str, entry[key])) for key in LISTS},
                )
                for entry in table["classes"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{source}: expected a list of classes ({error!r})") from error
        return NOTHING.joined(cls(tuple(classes)))


NOTHING = KnownPrompts(())
LISTS = ("datasets", "wordings", "examples")


def _known_modality(name: object) -> str:
    if name not in MODALITIES:
        raise ValueError(f"modality: expected one of {', '.join(MODALITIES)}, received {name!r}")
    return str(name)


def _union(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))
