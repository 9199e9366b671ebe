"""The index of a training set: one SQLite file that says what every case is."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple
from urllib.parse import quote

from predict.errors import UsageError
from train.catalogue import Catalogue
from train.corpus import CaseEntry
from train.index_check import CheckedCase
from train.raw_case import Defect
from train.source_files import SourceFile, SplitRoot

VERSION = 1
LOCK_SECONDS = 60
SCHEMA = f"""
BEGIN;
CREATE TABLE roots (split TEXT PRIMARY KEY, folder TEXT NOT NULL, labels TEXT);
CREATE TABLE prompts (
    dataset TEXT, class INTEGER, phrasings INTEGER NOT NULL, PRIMARY KEY (dataset, class)
) WITHOUT ROWID;
CREATE TABLE cases (
    id INTEGER PRIMARY KEY,
    split TEXT NOT NULL, path TEXT NOT NULL, stamp TEXT NOT NULL, size INTEGER NOT NULL,
    name TEXT NOT NULL, modality TEXT NOT NULL, dataset TEXT NOT NULL, subject TEXT NOT NULL,
    claimed_split TEXT NOT NULL, instance INTEGER NOT NULL, usable INTEGER NOT NULL,
    sha256 TEXT, image_hash TEXT, label_hash TEXT,
    depth INTEGER, height INTEGER, width INTEGER, image_dtype TEXT, label_dtype TEXT,
    spacing_x REAL, spacing_y REAL, spacing_z REAL, low REAL, high REAL, objects INTEGER,
    UNIQUE (split, path)
);
CREATE TABLE classes (
    case_id INTEGER REFERENCES cases ON DELETE CASCADE, class INTEGER, voxels INTEGER NOT NULL,
    PRIMARY KEY (case_id, class)
) WITHOUT ROWID;
CREATE TABLE defects (
    case_id INTEGER NOT NULL REFERENCES cases ON DELETE CASCADE,
    kind TEXT NOT NULL, detail TEXT NOT NULL
);
CREATE INDEX cases_by_dataset ON cases (dataset);
CREATE INDEX cases_by_image ON cases (image_hash);
CREATE INDEX cases_by_subject ON cases (subject);
CREATE INDEX defects_by_case ON defects (case_id);
PRAGMA user_version = {VERSION};
COMMIT;
"""
IDENTITY = ("name", "modality", "dataset", "subject", "claimed_split")
COLUMNS = (
    *("split", "path", "stamp", "size", *IDENTITY, "instance", "usable"),
    *("sha256", "image_hash", "label_hash", "depth", "height", "width"),
    *("image_dtype", "label_dtype", "spacing_x", "spacing_y", "spacing_z", "low", "high"),
    "objects",
)


class StoredFile(NamedTuple):
    """What the index remembers of a file, to see whether it has to be opened again."""

    case_id: int
    stamp: str
    instance: bool
    identity: tuple[str, ...]


class IndexedCase(NamedTuple):
    """A case to train on, and where it lies.

    Attributes:
        entry: What training asks for.
        split: Name of its split.
        path: Below the split's folder.
        sha256: Of its files.
        instance: Whether its labels are objects.
    """

    entry: CaseEntry
    split: str
    path: str
    sha256: str
    instance: bool


class Index:
    """An index file, opened for reading or for writing; a context manager."""

    def __init__(self, path: Path, *, write: bool = False) -> None:
        """Open the file; for writing it is made where it is missing.

        Raises:
            UsageError: It is missing, or not an index of this version.
        """
        if not write and not path.is_file():
            raise UsageError(f"{path}: expected an index, found none; run python -m train index")
        mode = "rwc" if write else "ro"
        try:
            self.connection = sqlite3.connect(
                f"file:{quote(str(path.absolute()))}?mode={mode}", uri=True, timeout=LOCK_SECONDS
            )
            version = self._version()
            if (
                write
                and version == 0
                and not self.connection.execute("SELECT name FROM sqlite_schema").fetchone()
            ):
                self.connection.executescript(SCHEMA)
                version = self._version()
            self.connection.execute("PRAGMA foreign_keys = ON")
        except sqlite3.Error as error:
            raise UsageError(f"{path}: expected an index, received {error}") from error
        if version != VERSION:
            raise UsageError(f"{path}: expected an index of version {VERSION}, received {version}")

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.connection.close()

    def _version(self) -> int:
        return int(self.connection.execute("PRAGMA user_version").fetchone()[0])

    def set_sources(self, roots: Sequence[SplitRoot], catalogue: Catalogue) -> None:
        """Remember where the splits lie and which prompts there are."""
        with self.connection as transaction:
            transaction.execute("DELETE FROM roots")
            transaction.executemany(
                "INSERT INTO roots VALUES (?, ?, ?)",
                [
                    (r.split, str(r.folder.absolute()), r.labels and str(r.labels.absolute()))
                    for r in roots
                ],
            )
            transaction.execute("DELETE FROM prompts")
            transaction.executemany(
                "INSERT INTO prompts VALUES (?, ?, ?)",
                [
                    (dataset, class_id, count)
                    for dataset, prompts in catalogue.prompts.items()
                    for class_id, count in prompts.counts.items()
                ],
            )

    def roots(self) -> dict[str, SplitRoot]:
        """Where the splits lie."""
        rows = self.connection.execute("SELECT split, folder, labels FROM roots")
        return {
            split: SplitRoot(split=split, folder=Path(folder), labels=labels and Path(labels))
            for split, folder, labels in rows
        }

    def stored_files(self) -> dict[tuple[str, str], StoredFile]:
        """(split, path) -> what is remembered.

        A case that was too large for the memory gets an empty stamp: another run may have more.
        """
        rows = self.connection.execute(
            "SELECT split, path, id, CASE WHEN EXISTS"
            " (SELECT 1 FROM defects WHERE case_id = id AND kind = ?) THEN '' ELSE stamp END,"
            f" instance, {', '.join(IDENTITY)} FROM cases",
            (str(Defect.TOO_LARGE),),
        )
        return {
            (split, path): StoredFile(case_id, stamp, bool(instance), tuple(identity))
            for split, path, case_id, stamp, instance, *identity in rows
        }

    def store(self, cases: Iterable[CheckedCase]) -> None:
        """Write verified cases in one transaction, in place of what was known of them."""
        with self.connection as transaction:
            for case in cases:
                source = case.source
                transaction.execute(
                    "DELETE FROM cases WHERE split = ? AND path = ?", (source.split, source.path)
                )
                cursor = transaction.execute(
                    f"INSERT INTO cases ({', '.join(COLUMNS)})"
                    f" VALUES ({', '.join('?' * len(COLUMNS))})",
                    _row(case),
                )
                transaction.executemany(
                    "INSERT INTO classes VALUES (?, ?, ?)",
                    [(cursor.lastrowid, *item) for item in case.classes.items()],
                )
                transaction.executemany(
                    "INSERT INTO defects VALUES (?, ?, ?)",
                    [(cursor.lastrowid, str(kind), detail) for kind, detail in case.defects],
                )

    def rename(self, sources: Iterable[tuple[int, SourceFile]]) -> None:
        """Write what prompts, provenance and folders now say of cases that were not opened."""
        assignments = ", ".join(f"{column} = ?" for column in IDENTITY)
        with self.connection as transaction:
            transaction.executemany(
                f"UPDATE cases SET {assignments} WHERE id = ?",
                [(*identity(source), case_id) for case_id, source in sources],
            )

    def remove(self, case_ids: Iterable[int]) -> None:
        """Forget cases."""
        with self.connection as transaction:
            transaction.executemany("DELETE FROM cases WHERE id = ?", [(i,) for i in case_ids])

    def trainable(
        self, *, split: str | None = None, dataset: str | None = None
    ) -> list[IndexedCase]:
        """Usable cases with at least one class that has prompts, in the order of their paths."""
        rows = self.connection.execute(
            "SELECT c.name, c.dataset, c.modality, c.subject, group_concat(k.class),"
            " c.split, c.path, c.sha256, c.instance"
            " FROM cases c JOIN classes k ON k.case_id = c.id"
            " JOIN prompts p ON p.dataset = c.dataset AND p.class = k.class"
            " WHERE c.usable AND (?1 IS NULL OR c.split = ?1) AND (?2 IS NULL OR c.dataset = ?2)"
            " GROUP BY c.id ORDER BY c.split, c.path",
            (split, dataset),
        )
        return [
            IndexedCase(
                CaseEntry(
                    name=name,
                    dataset=sys.intern(of),
                    modality=sys.intern(modality),
                    subject=subject or name,
                    classes=tuple(sorted(map(int, classes.split(",")))),
                ),
                sys.intern(in_split),
                path,
                sha256,
                bool(instance),
            )
            for name, of, modality, subject, classes, in_split, path, sha256, instance in rows
        ]


def identity(source: SourceFile) -> tuple[str, ...]:
    """What a case is called, in the order of the index's columns."""
    return (source.name, source.modality, source.dataset, source.subject, source.claimed_split)


def _row(case: CheckedCase) -> tuple[object, ...]:
    source = case.source
    return (
        *(source.split, source.path, source.stamp, source.size, *identity(source)),
        *(source.instance, case.usable, case.sha256, case.image_hash, case.label_hash),
        *(case.shape or (None,) * 3),
        *(case.image_dtype, case.label_dtype),
        *(case.spacing or (None,) * 3),
        *(case.low, case.high, case.objects),
    )
