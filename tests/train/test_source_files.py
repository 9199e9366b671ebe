from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from predict.errors import UsageError
from train.catalogue import Catalogue, DatasetPrompts, Origin
from train.source_files import SourceFile, SplitRoot, find_files

PROMPTS = {
    "CT_A": DatasetPrompts(counts={1: 1}, instance=False),
    "Microscopy_B": DatasetPrompts(counts={1: 1}, instance=True),
}
ORIGINS = {"train": {"a": Origin("train", "CT_A", "CT", "s1")}}


def found(root: SplitRoot, catalogue: Catalogue) -> dict[str, SourceFile]:
    return {source.path: source for source in find_files(root, catalogue)}


def test_folders_say_modality_and_data_set(tmp_path: Path, write_case: Callable[..., Path]) -> None:
    for path in ("CT/CT_A/a.npz", "Microscopy/Microscopy_B/b.npz", "CT/CT_A/.hidden.npz"):
        write_case(path)
    write_case("CT/CT_A/deeper/c.npz")
    (tmp_path / "data" / "CT" / "CT_A" / "notes.txt").touch()
    sources = found(SplitRoot(split="train", folder=tmp_path / "data"), Catalogue(PROMPTS, ORIGINS))
    assert list(sources) == ["CT/CT_A/a.npz", "Microscopy/Microscopy_B/b.npz"]
    a, b = sources.values()
    assert (a.name, a.modality, a.dataset, a.subject, a.instance) == (
        "a",
        "CT",
        "CT_A",
        "s1",
        False,
    )
    assert (b.name, b.modality, b.dataset, b.subject, b.instance) == (
        *("b", "Microscopy", "Microscopy_B", "", True),
    )
    assert a.size == a.files[0].stat().st_size


def test_a_flat_folder_has_its_labels_elsewhere(
    tmp_path: Path, write_case: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("val/a.npz", "gt/a.npz", "val/Microscopy_B_2.npz", "gt/Microscopy_B_2.npz"):
        write_case(path)
    write_case("val/no_labels.npz")
    root = SplitRoot(split="val", folder=tmp_path / "data" / "val", labels=tmp_path / "data" / "gt")
    with caplog.at_level(logging.WARNING):
        sources = found(root, Catalogue(PROMPTS, ORIGINS))
    assert list(sources) == ["Microscopy_B_2.npz", "a.npz"]
    assert "no_labels.npz" in caplog.text
    by_name, by_provenance = sources.values()
    assert (by_name.dataset, by_name.modality) == ("Microscopy_B", "Microscopy")
    assert (by_provenance.dataset, by_provenance.claimed_split) == ("CT_A", "train")
    assert [file.parent.name for file in by_name.files] == ["val", "gt"]
    assert by_name.files == root.files("Microscopy_B_2.npz")


def test_a_stamp_changes_with_any_of_the_files(
    tmp_path: Path, write_case: Callable[..., Path]
) -> None:
    write_case("val/a.npz")
    labels = write_case("gt/a.npz")
    root = SplitRoot(split="val", folder=tmp_path / "data" / "val", labels=tmp_path / "data" / "gt")
    before = found(root, Catalogue(PROMPTS))["a.npz"].stamp
    assert found(root, Catalogue(PROMPTS))["a.npz"].stamp == before
    os.utime(labels, ns=(0, 0))
    assert found(root, Catalogue(PROMPTS))["a.npz"].stamp != before


def test_what_is_no_file_is_logged_and_left_out(
    tmp_path: Path, write_case: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_case("CT/CT_A/a.npz").parent
    (folder / "folder.npz").mkdir()
    os.mkfifo(folder / "pipe.npz")
    (folder / "dangling.npz").symlink_to(folder / "nowhere")
    with caplog.at_level(logging.WARNING):
        sources = found(SplitRoot(split="train", folder=tmp_path / "data"), Catalogue(PROMPTS))
    assert list(sources) == ["CT/CT_A/a.npz"]
    for name in ("folder.npz", "pipe.npz", "dangling.npz"):
        assert name in caplog.text


def test_a_missing_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a folder of npz files"):
        found(SplitRoot(split="train", folder=tmp_path / "none"), Catalogue(PROMPTS))
