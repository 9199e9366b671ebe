from __future__ import annotations

import os
from pathlib import Path

import pytest

from predict.atomic import ABANDONED_SECONDS, remove_abandoned, replacing


@pytest.mark.parametrize(
    ("name", "ending"), [("a.nii.gz", ".partial.nii.gz"), ("a.seg.nrrd", ".partial.nrrd")]
)
def test_the_file_appears_when_it_is_whole(tmp_path: Path, name: str, ending: str) -> None:
    with replacing(tmp_path / name) as partial:
        partial.write_text("whole")
        assert partial.name.endswith(ending)
        assert not (tmp_path / name).exists()
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [(name, "whole")]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_nothing_is_left_when_it_fails(tmp_path: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with replacing(tmp_path / "a.mha") as partial:
            partial.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert not list(tmp_path.iterdir())


def test_a_file_left_behind_can_be_kept_from_looking_like_one_of_its_kind(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.npz", keep_ending=False) as partial:
        partial.touch()
        assert partial.suffix == ".partial"
    assert (tmp_path / "a.npz").exists()


def test_the_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.npz"
    synced: list[bool] = []
    monkeypatch.setattr("os.fsync", lambda _: synced.append(path.exists()))
    with replacing(path) as partial:
        partial.touch()
    assert synced == [False]


def test_only_abandoned_temporary_files_are_removed(tmp_path: Path) -> None:
    old = f".{'0' * 16}.partial"
    kept = ["a.npz", ".partial", "..partial", f".{'1' * 16}.partial.png"]
    for name in (old, f"{old}.nii.gz", *kept):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000, 1000))
    os.utime(tmp_path / kept[-1], (1500, 1500))
    remove_abandoned(tmp_path, 1000 + ABANDONED_SECONDS)
    assert (tmp_path / old).exists()
    remove_abandoned(tmp_path, 1001 + ABANDONED_SECONDS)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def test_removing_from_a_folder_that_is_gone_does_nothing(tmp_path: Path) -> None:
    remove_abandoned(tmp_path / "gone", 1e12)
