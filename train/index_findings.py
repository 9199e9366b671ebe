"""What an index shows only as a whole: totals, duplicates, leaks, labels and prompts that miss."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from train.index import Index
from train.raw_case import UNUSABLE


class DatasetRow(NamedTuple):
    """Totals of a data set in a split.

    Attributes:
        split: Name of the split.
        modality: As in the folders.
        dataset: Data set.
        cases: Number of cases.
        usable: Those that can be read and make sense.
        subjects: Different known subjects.
        classes: Different class ids present.
        instance: Whether its labels are objects.
        shape_low: Least number of voxels along each axis (D, H, W), None if none was readable.
        shape_high: Greatest.
        spacing_low: Least voxel size (x, y, z) in mm, None where none is given.
        spacing_high: Greatest.
        size: Bytes of its files.
        voxels: Voxels of all its images.
    """

    split: str
    modality: str
    dataset: str
    cases: int
    usable: int
    subjects: int
    classes: int
    instance: bool
    shape_low: tuple[float, ...] | None
    shape_high: tuple[float, ...] | None
    spacing_low: tuple[float, ...] | None
    spacing_high: tuple[float, ...] | None
    size: int
    voxels: int


class DefectRow(NamedTuple):
    """A defect of a case."""

    kind: str
    split: str
    path: str
    detail: str


class DuplicateGroup(NamedTuple):
    """Cases with the same image.

    Attributes:
        paths: (split, path) of each.
        same_labels: The most of them that have the same labels too; 1 if all differ.
        across_splits: Whether they lie in several splits.
    """

    paths: tuple[tuple[str, str], ...]
    same_labels: int
    across_splits: bool


class SharedSubject(NamedTuple):
    """A subject with cases in several splits: split -> number of cases."""

    subject: str
    cases: dict[str, int]


class UnpromptedLabel(NamedTuple):
    """A class id that is in labels but has no prompt; such a data set has none at all."""

    dataset: str
    class_id: int
    cases: int
    voxels: int
    example: str


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All of them, each sorted.

    Attributes:
        datasets: Totals.
        broken: Defects that make a case unusable.
        doubtful: Defects that do not.
        duplicates: Same image in several cases; those across splits first.
        shared_subjects: Subjects in several splits.
        unprompted: Labels without prompts in data sets that have prompts.
        unseen: (data set, class id) with prompts and no label, in data sets with cases.
        datasets_without_prompts: Data sets of the folders that the prompts do not know.
        datasets_without_cases: Data sets of the prompts that have no case.
        untrainable: Usable cases that have no label with a prompt.
        repeated_names: Case names that occur several times in one split, and how often.
        misplaced: (split, path, split that the provenance gives).
        trainable: Number of usable cases with at least one class that has prompts.
    """

    datasets: Sequence[DatasetRow]
    broken: Sequence[DefectRow]
    doubtful: Sequence[DefectRow]
    duplicates: Sequence[DuplicateGroup]
    shared_subjects: Sequence[SharedSubject]
    unprompted: Sequence[UnpromptedLabel]
    unseen: Sequence[tuple[str, int]]
    datasets_without_prompts: Sequence[str]
    datasets_without_cases: Sequence[str]
    untrainable: Sequence[str]
    repeated_names: Sequence[tuple[str, int]]
    misplaced: Sequence[tuple[str, str, str]]
    trainable: int


def find_all(index: Index) -> Findings:
    """Work out all findings of an index."""
    database = index.connection
    defects = [DefectRow(*row) for row in database.execute(DEFECTS)]
    trainable = database.execute(f"SELECT count(*) FROM cases c WHERE {TRAINABLE}").fetchone()[0]
    return Findings(
        datasets=_datasets(database),
        broken=[row for row in defects if row.kind in UNUSABLE],
        doubtful=[row for row in defects if row.kind not in UNUSABLE],
        duplicates=_duplicates(database),
        shared_subjects=_shared_subjects(database),
        unprompted=[UnpromptedLabel(*row) for row in database.execute(UNPROMPTED)],
        unseen=database.execute(UNSEEN).fetchall(),
        datasets_without_prompts=_column(database, DATASETS_WITHOUT_PROMPTS),
        datasets_without_cases=_column(database, DATASETS_WITHOUT_CASES),
        untrainable=_column(database, UNTRAINABLE),
        repeated_names=database.execute(REPEATED_NAMES).fetchall(),
        misplaced=database.execute(MISPLACED).fetchall(),
        trainable=int(trainable),
    )


HAS_PROMPTS = "EXISTS (SELECT 1 FROM prompts p WHERE p.dataset = c.dataset)"
TRAINABLE = (
    "c.usable AND EXISTS (SELECT 1 FROM classes k JOIN prompts p"
    " ON p.dataset = c.dataset AND p.class = k.class WHERE k.case_id = c.id)"
)
DEFECTS = (
    "SELECT d.kind, c.split, c.path, d.detail FROM defects d JOIN cases c ON c.id = d.case_id"
    " ORDER BY d.kind, c.split, c.path"
)
DATASETS = """
SELECT split, modality, dataset, count(*), sum(usable), count(DISTINCT nullif(subject, '')),
    max(instance), min(depth), min(height), min(width), max(depth), max(height), max(width),
    min(spacing_x), min(spacing_y), min(spacing_z), max(spacing_x), max(spacing_y), max(spacing_z),
    sum(size), sum(coalesce(depth * height * width, 0))
FROM cases GROUP BY split, modality, dataset ORDER BY split, modality, dataset
"""
CLASSES_OF_DATASETS = """
SELECT c.split, c.modality, c.dataset, count(DISTINCT k.class)
FROM cases c JOIN classes k ON k.case_id = c.id GROUP BY c.split, c.modality, c.dataset
"""
# A constant image equals any other one of its shape and value.
DUPLICATES = """
SELECT image_hash, split, path, label_hash FROM cases WHERE image_hash IN (
    SELECT image_hash FROM cases WHERE low < high GROUP BY image_hash HAVING count(*) > 1
) ORDER BY image_hash, split, path
"""
SHARED_SUBJECTS = """
SELECT subject, split, count(*) FROM cases WHERE subject IN (
    SELECT subject FROM cases WHERE subject != '' GROUP BY subject
    HAVING count(DISTINCT split) > 1
) GROUP BY subject, split ORDER BY subject, split
"""
UNPROMPTED = f"""
SELECT c.dataset, k.class, count(*), sum(k.voxels), min(c.path)
FROM cases c JOIN classes k ON k.case_id = c.id
WHERE c.usable AND {HAS_PROMPTS} AND NOT EXISTS (
    SELECT 1 FROM prompts p WHERE p.dataset = c.dataset AND p.class = k.class
) GROUP BY c.dataset, k.class ORDER BY c.dataset, k.class
"""
UNSEEN = """
SELECT p.dataset, p.class FROM prompts p
WHERE p.dataset IN (SELECT dataset FROM cases WHERE usable) AND (p.dataset, p.class) NOT IN (
    SELECT DISTINCT c.dataset, k.class FROM cases c JOIN classes k ON k.case_id = c.id
    WHERE c.usable
) ORDER BY p.dataset, p.class
"""
DATASETS_WITHOUT_PROMPTS = (
    f"SELECT DISTINCT c.dataset FROM cases c WHERE NOT {HAS_PROMPTS} ORDER BY c.dataset"
)
DATASETS_WITHOUT_CASES = (
    "SELECT DISTINCT dataset FROM prompts WHERE dataset NOT IN (SELECT dataset FROM cases)"
    " ORDER BY dataset"
)
UNTRAINABLE = (
    f"SELECT c.path FROM cases c WHERE c.usable AND {HAS_PROMPTS} AND NOT ({TRAINABLE})"
    " ORDER BY c.path"
)
REPEATED_NAMES = (
    "SELECT name, count(*) FROM cases GROUP BY split, name HAVING count(*) > 1 ORDER BY name"
)
MISPLACED = (
    "SELECT split, path, claimed_split FROM cases"
    " WHERE claimed_split NOT IN ('', split) ORDER BY split, path"
)


def _column(database: sqlite3.Connection, query: str) -> list[str]:
    return [row[0] for row in database.execute(query)]


def _datasets(database: sqlite3.Connection) -> list[DatasetRow]:
    classes = {tuple(key): count for *key, count in database.execute(CLASSES_OF_DATASETS)}
    rows = []
    for split, modality, dataset, cases, usable, subjects, instance, *rest in database.execute(
        DATASETS
    ):
        rows.append(
            DatasetRow(
                split=split,
                modality=modality,
                dataset=dataset,
                cases=cases,
                usable=usable,
                subjects=subjects,
                classes=classes.get((split, modality, dataset), 0),
                instance=bool(instance),
                shape_low=_known(rest[0:3]),
                shape_high=_known(rest[3:6]),
                spacing_low=_known(rest[6:9]),
                spacing_high=_known(rest[9:12]),
                size=rest[12],
                voxels=rest[13],
            )
        )
    return rows


def _known(values: Sequence[float | None]) -> tuple[float, ...] | None:
    known = tuple(value for value in values if value is not None)
    return known if len(known) == len(values) else None


def _duplicates(database: sqlite3.Connection) -> list[DuplicateGroup]:
    groups = []
    for _, rows in groupby(database.execute(DUPLICATES), key=lambda row: row[0]):
        _, splits, paths, labels = zip(*rows, strict=True)
        # Labels without a hash could not be read: they equal no others.
        repeats = Counter(hash_ for hash_ in labels if hash_)
        groups.append(
            DuplicateGroup(
                paths=tuple(zip(splits, paths, strict=True)),
                same_labels=max(repeats.values(), default=1),
                across_splits=len(set(splits)) > 1,
            )
        )
    return sorted(groups, key=lambda group: (not group.across_splits, group.paths))


def _shared_subjects(database: sqlite3.Connection) -> list[SharedSubject]:
    cases: dict[str, dict[str, int]] = defaultdict(dict)
    for subject, split, count in database.execute(SHARED_SUBJECTS):
        cases[subject][split] = count
    return [SharedSubject(subject, counts) for subject, counts in cases.items()]
