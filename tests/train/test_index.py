from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from predict.errors import UsageError
from train.catalogue import Catalogue, DatasetPrompts
from train.corpus import CaseEntry
from train.index import Index
from train.index_check import CheckedCase
from train.raw_case import Defect
from train.source_files import SourceFile, SplitRoot

CATALOGUE = Catalogue(
    {
        "CT_A": DatasetPrompts(counts={1: 2, 2: 1, 11: 1}, instance=False),
        "CT_B": DatasetPrompts(counts={1: 1}, instance=True),
    }
)


def checked(name: str, dataset: str = "CT_A", split: str = "train", **more: object) -> CheckedCase:
    source = SourceFile(
        split=split,
        path=f"CT/{dataset}/{name}.npz",
        files=(),
        name=name,
        dataset=dataset,
        modality="CT",
        subject="s1" if name == "z" else "",
        claimed_split="",
        instance=dataset == "CT_B",
        size=100,
        stamp="1",
    )
    return CheckedCase(source=source, sha256=f"sha {name}", **more)  # type: ignore[arg-type]


@pytest.fixture
def index(tmp_path: Path) -> Index:
    opened = Index(tmp_path / "index ?.sqlite", write=True)
    opened.set_sources([SplitRoot(split="train", folder=tmp_path)], CATALOGUE)
    opened.store(
        [
            checked("z", classes={11: 1, 2: 5, 9: 3}),
            checked("b", "CT_B", "val", classes={1: 4}),
            checked("broken", classes={1: 4}, defects=[(Defect.UNREADABLE, "why")]),
            checked("no_prompt", classes={9: 4}),
            checked("a", classes={1: 4}),
        ]
    )
    return opened


def test_trainable_cases_have_a_class_with_prompts(index: Index) -> None:
    cases = index.trainable()
    assert [(case.split, case.path) for case in cases] == [
        ("train", "CT/CT_A/a.npz"),
        ("train", "CT/CT_A/z.npz"),
        ("val", "CT/CT_B/b.npz"),
    ]
    assert cases[1].entry == CaseEntry(
        name="z", dataset="CT_A", modality="CT", subject="s1", classes=(2, 11)
    )
    assert cases[0].entry.subject == "a"
    assert (cases[1].sha256, cases[1].instance, cases[2].instance) == ("sha z", False, True)


def test_cases_of_a_split_or_a_data_set(index: Index) -> None:
    assert [case.entry.name for case in index.trainable(split="val")] == ["b"]
    assert [case.entry.name for case in index.trainable(dataset="CT_A")] == ["a", "z"]
    assert index.trainable(split="val", dataset="CT_A") == []


def test_storing_a_case_again_replaces_all_of_it(index: Index) -> None:
    index.store([checked("z", classes={1: 1})])
    assert [case.entry.classes for case in index.trainable(dataset="CT_A")] == [(1,), (1,)]
    index.store([checked("broken", classes={2: 1})])
    assert index.connection.execute("SELECT count(*) FROM defects").fetchone() == (0,)
    assert len(index.trainable()) == 4


def test_a_forgotten_case_leaves_nothing(index: Index) -> None:
    index.remove([stored.case_id for stored in index.stored_files().values()])
    for table in ("cases", "classes", "defects"):
        assert index.connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_a_case_that_was_too_large_is_to_be_opened_again(index: Index) -> None:
    index.store([checked("a", defects=[(Defect.TOO_LARGE, "for now")])])
    stamps = {path: stored.stamp for (_, path), stored in index.stored_files().items()}
    assert stamps["CT/CT_A/a.npz"] == ""
    assert stamps["CT/CT_A/z.npz"] == stamps["CT/CT_A/broken.npz"] == "1"


def test_roots_come_back(index: Index, tmp_path: Path) -> None:
    roots = [
        SplitRoot(split="train", folder=tmp_path),
        SplitRoot(split="val", folder=tmp_path / "v", labels=tmp_path / "g"),
    ]
    index.set_sources(roots, CATALOGUE)
    assert list(index.roots().values()) == roots


def test_a_reader_cannot_write(index: Index, tmp_path: Path) -> None:
    index.connection.close()
    with (
        Index(tmp_path / "index ?.sqlite") as reader,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        reader.remove([1])


def test_anything_but_an_index_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected an index, found none"):
        Index(tmp_path / "none.sqlite")
    (tmp_path / "text").write_text("x" * 2000)
    for write in (False, True):
        with pytest.raises(UsageError, match="expected an index, received file is not a database"):
            Index(tmp_path / "text", write=write)
    with sqlite3.connect(tmp_path / "other") as other:
        other.execute("CREATE TABLE x (y)")
    with pytest.raises(UsageError, match="expected an index of version 1, received 0"):
        Index(tmp_path / "other", write=True)
