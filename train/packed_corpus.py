"""A corpus that reads packs."""

from __future__ import annotations

import os
from pathlib import Path

from predict.errors import UsageError
from train.corpus import CaseEntry, LabelledVolume
from train.index import Index
from train.packing import SUFFIX, PackSettings, read_pack


class PackedCorpus:
    """Cases of an index whose packs are in a cache; holds no open file.

    Attributes:
        entries: One per case that can be trained on, in the order of the index.
    """

    def __init__(self, cache: Path, index: Path, split: str | None = None) -> None:
        """List the cases.

        Args:
            cache: Folder of packs.
            index: The index that they were packed from.
            split: Only cases of this split.

        Raises:
            UsageError: Not a cache, not an index, no case, or packs are missing.
        """
        self.cache = cache
        settings = PackSettings.load(cache)
        with Index(index) as opened:
            cases = opened.trainable(split=split)
        if not cases:
            raise UsageError(f"{index}: expected cases of split {split or '(any)'}, found none")
        self.entries: list[CaseEntry] = [case.entry for case in cases]
        self.names = [settings.name(case.sha256, case.instance) for case in cases]
        there = pack_names(cache)
        missing = [e.name for e, n in zip(self.entries, self.names, strict=True) if n not in there]
        if missing:
            raise UsageError(
                f"{cache}: expected packs of {len(cases)} cases, {len(missing)} are missing"
                f" (first {missing[0]}); run python -m train pack"
            )

    def read(self, index: int) -> LabelledVolume:
        """The volume of an entry; its image is a read-only memory map.

        Raises:
            CaseError: The pack is damaged.
        """
        entry = self.entries[index]
        pack = read_pack(self.cache / self.names[index])
        return LabelledVolume(
            name=entry.name,
            dataset=entry.dataset,
            modality=entry.modality,
            image=pack.image,
            labels=pack.labels,
            classes=tuple(c for c in entry.classes if c in pack.classes),
        )


def pack_names(cache: Path) -> set[str]:
    """Packs of a cache, below its folder."""
    return {
        f"{folder.name}/{file.name}"
        for folder in os.scandir(cache)
        if folder.is_dir()
        for file in os.scandir(folder)
        if file.name.endswith(SUFFIX)
    }
