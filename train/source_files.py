"""The npz files of a split, in either of the challenge's layouts."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from predict.errors import UsageError
from train.catalogue import Catalogue

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SplitRoot:
    """Where the cases of a split lie.

    Attributes:
        split: Its name.
        folder: MODALITY/DATASET/CASE.npz, or CASE.npz.
        labels: Folder of CASE.npz with the key ``gts`` where the cases do not hold it themselves.
    """

    split: str
    folder: Path
    labels: Path | None = None

    def files(self, path: str) -> tuple[Path, ...]:
        """The files of the case at a path below the folder: its npz, and that of its labels."""
        case = self.folder / path
        return (case,) if self.labels is None else (case, self.labels / case.name)


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One case as it lies on the disk, not opened yet.

    Attributes:
        split: Name of its split.
        path: Below the split's folder, with ``/``.
        files: The npz, and the npz with its labels where that is another one.
        name: File name without its ending.
        dataset: From the folder, else from provenance or from the name; empty where unknown.
        modality: From the folder, else from provenance or from the name.
        subject: From the provenance; empty where unknown.
        claimed_split: Split that the provenance gives it; empty where unknown.
        instance: Whether its labels are objects, by the prompts file.
        size: Bytes of all its files.
        stamp: Sizes and times of its files; differs where one of them was written again.
    """

    split: str
    path: str
    files: tuple[Path, ...]
    name: str
    dataset: str
    modality: str
    subject: str
    claimed_split: str
    instance: bool
    size: int
    stamp: str


def find_files(root: SplitRoot, catalogue: Catalogue) -> Iterator[SourceFile]:
    """Walk a split in the order of its paths.

    Raises:
        UsageError: A folder is missing.
    """
    for folder in (root.folder, root.labels):
        if folder is not None and not folder.is_dir():
            raise UsageError(f"{folder}: expected a folder of npz files, found none")
    for path in _npz_paths(root.folder):
        source = _source_file(root, path, catalogue)
        if source is not None:
            yield source


def _npz_paths(folder: Path) -> Iterator[tuple[str, ...]]:
    """CASE.npz, and MODALITY/DATASET/CASE.npz; hidden names are left out."""
    for parents in ((), *_folders(folder, 2)):
        names = sorted(e.name for e in os.scandir(folder.joinpath(*parents)))
        for name in names:
            if name.endswith(".npz") and not name.startswith("."):
                yield (*parents, name)


def _folders(folder: Path, depth: int) -> Iterator[tuple[str, ...]]:
    for entry in sorted(os.scandir(folder), key=lambda e: e.name):
        if entry.is_dir() and not entry.name.startswith("."):
            if depth == 1:
                yield (entry.name,)
            else:
                for below in _folders(folder / entry.name, depth - 1):
                    yield (entry.name, *below)


def _source_file(
    root: SplitRoot, parts: tuple[str, ...], catalogue: Catalogue
) -> SourceFile | None:
    path = "/".join(parts)
    files = root.files(path)
    try:
        path.encode()
        states = [os.stat(file) for file in files]
    except (OSError, UnicodeEncodeError) as error:
        logger.warning("%s: left out (%s)", ascii(path), error)
        return None
    if not all(stat.S_ISREG(state.st_mode) for state in states):
        logger.warning("%s: left out (not a file)", path)
        return None
    name = parts[-1].removesuffix(".npz")
    origin = catalogue.origin(root.split, name)
    if len(parts) == 3:
        modality, dataset = parts[:2]
    else:
        dataset = origin.dataset or catalogue.dataset_of(name)
        modality = origin.modality or name.split("_")[0]
    return SourceFile(
        split=root.split,
        path=path,
        files=files,
        name=name,
        dataset=dataset,
        modality=modality,
        subject=origin.subject,
        claimed_split=origin.split,
        instance=catalogue.is_instance(dataset),
        size=sum(state.st_size for state in states),
        stamp=" ".join(f"{state.st_size}.{state.st_mtime_ns}" for state in states),
    )
