from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from train import index_build
from train.catalogue import Catalogue, DatasetPrompts, Origin
from train.index import Index
from train.index_build import BuildSummary, build_index
from train.index_check import CheckedCase, check_case
from train.source_files import SourceFile, SplitRoot

ROOT = Path(__file__).resolve().parents[2]
KILLED_AT_THE_SIXTH = """
import os, signal, sys
from pathlib import Path
from train import index_build
from train.catalogue import Catalogue
from train.source_files import SplitRoot

check, count = index_build.check_case, 0

def killing(source, limit):
    global count
    count += 1
    if count == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    return check(source, limit)

index_build.check_case, index_build.BATCH_CASES = killing, 2
root = SplitRoot(split="train", folder=Path(sys.argv[1]))
index_build.build_index(Path(sys.argv[2]), [root], Catalogue({}), 0)
"""


@pytest.fixture
def build(
    tmp_path: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[BuildSummary, list[str]]]:
    """Index tmp_path/data in this process; also tells which cases were opened."""

    def built(with_: Catalogue = catalogue) -> tuple[BuildSummary, list[str]]:
        opened = []

        def watched(source: SourceFile, limit: int) -> CheckedCase:
            opened.append(source.name)
            return check_case(source, limit)

        monkeypatch.setattr(index_build, "check_case", watched)
        roots = [SplitRoot(split="train", folder=tmp_path / "data")]
        return build_index(tmp_path / "index", roots, with_, 0), opened

    return built


def names(tmp_path: Path) -> list[str]:
    with Index(tmp_path / "index") as index:
        return [case.entry.name for case in index.trainable()]


def test_a_second_run_opens_nothing(
    tmp_path: Path,
    write_case: Callable[..., Path],
    build: Callable[..., tuple[BuildSummary, list[str]]],
) -> None:
    files = [write_case(f"CT/CT_A/{name}.npz") for name in "abc"]
    files.append(write_case("CT/CT_A/broken.npz", gts=None))
    summary, opened = build()
    assert (summary.opened, summary.unchanged, summary.removed) == (4, 0, 0)
    assert opened == ["a", "b", "broken", "c"]
    for file in files:  # junk of the same size and time shows if anyone looks
        state = file.stat()
        file.write_bytes(bytes(state.st_size))
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    summary, opened = build()
    assert (summary.opened, summary.unchanged, summary.removed) == (0, 4, 0)
    assert opened == []
    assert names(tmp_path) == ["a", "b", "c"]


def test_only_what_changed_is_opened_and_what_is_gone_is_forgotten(
    tmp_path: Path,
    write_case: Callable[..., Path],
    build: Callable[..., tuple[BuildSummary, list[str]]],
) -> None:
    for name in "abc":
        write_case(f"CT/CT_A/{name}.npz")
    build()
    (tmp_path / "data/CT/CT_A/a.npz").unlink()
    write_case("CT/CT_A/b.npz", gts=np.zeros((6, 10, 8), np.uint8))
    write_case("CT/CT_A/d.npz")
    summary, opened = build()
    assert opened == ["b", "d"]
    assert (summary.unchanged, summary.removed) == (1, 1)
    assert names(tmp_path) == ["c", "d"]


def test_new_names_need_no_opening_but_a_new_kind_of_labels_does(
    tmp_path: Path,
    write_case: Callable[..., Path],
    build: Callable[..., tuple[BuildSummary, list[str]]],
    catalogue: Catalogue,
) -> None:
    write_case("CT/CT_A/a.npz")
    build()
    origins = {"train": {"a": Origin("train", subject="s1")}}
    assert build(Catalogue(catalogue.prompts, origins))[1] == []
    with Index(tmp_path / "index") as index:
        assert index.trainable()[0].entry.subject == "s1"
    objects = {"CT_A": DatasetPrompts(counts={1: 1}, instance=True)}
    assert build(Catalogue(objects))[1] == ["a"]
    with Index(tmp_path / "index") as index:
        assert index.trainable()[0].entry.classes == (1,)


def test_a_killed_run_goes_on_where_it_was(
    tmp_path: Path,
    write_case: Callable[..., Path],
    build: Callable[..., tuple[BuildSummary, list[str]]],
) -> None:
    for number in range(8):
        write_case(f"CT/CT_A/{number}.npz")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AT_THE_SIXTH, tmp_path / "data", tmp_path / "index"],
        cwd=ROOT,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    summary, opened = build()
    assert opened == ["4", "5", "6", "7"]
    assert summary.unchanged == 4
    assert names(tmp_path) == [str(number) for number in range(8)]


def test_workers_find_the_same(
    tmp_path: Path, write_case: Callable[..., Path], catalogue: Catalogue
) -> None:
    for number in range(6):
        write_case(f"CT/CT_A/{number}.npz", seed=number)
    (tmp_path / "data/CT/CT_A/bad.npz").write_text("no zip")
    roots = [SplitRoot(split="train", folder=tmp_path / "data")]
    tables = []
    for name, workers in (("here", 0), ("there", 2)):
        build_index(tmp_path / name, roots, catalogue, workers)
        with Index(tmp_path / name) as index:
            tables.append(
                index.connection.execute(
                    "SELECT path, usable, sha256, image_hash, detail FROM cases"
                    " LEFT JOIN defects ON case_id = id ORDER BY path"
                ).fetchall()
            )
    assert tables[0] == tables[1]
    assert len(tables[0]) == 7


def test_part_of_the_corpus_is_sound(shared: Path, tmp_path: Path) -> None:
    train = shared / "data" / "3D_train_npz_all"
    smallest = min(
        (folder for folder in train.glob("*/*") if len(list(folder.iterdir())) > 1),
        key=lambda folder: sum(file.stat().st_size for file in folder.iterdir()),
    )
    (tmp_path / "root" / smallest.parent.name).mkdir(parents=True)
    (tmp_path / "root" / smallest.parent.name / smallest.name).symlink_to(smallest)
    (prompts,) = (shared / "data").glob("CVPR25*.json")
    catalogue = Catalogue.load(prompts, shared / "data" / "provenance.json")
    roots = [SplitRoot(split="train", folder=tmp_path / "root")]
    summary = build_index(tmp_path / "index", roots, catalogue, 0)
    with Index(tmp_path / "index") as index:
        cases = index.trainable()
    assert len(cases) == summary.opened == len(list(smallest.glob("*.npz"))) > 1
    assert all(case.entry.subject for case in cases)
