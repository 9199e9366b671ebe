from __future__ import annotations

import os
from pathlib import Path

import pytest

from predict.errors import UsageError
from predict.writable import make_output_folder


def test_makes_the_folder_and_leaves_nothing_in_it(tmp_path: Path) -> None:
    make_output_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_refuses_what_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="not writable"):
        make_output_folder(tmp_path / "file")


def test_machines_with_the_same_process_numbers_can_share_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the containers of a cluster do, in each of which the first process has number 1."""
    unlink = Path.unlink

    def another_tries_too(path: Path) -> None:
        monkeypatch.setattr(Path, "unlink", unlink)
        make_output_folder(tmp_path)
        path.unlink()

    monkeypatch.setattr(Path, "unlink", another_tries_too)
    make_output_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_removes_what_killed_processes_left_long_ago(tmp_path: Path) -> None:
    left, fresh = tmp_path / f".{'0' * 16}.partial", tmp_path / f".{'1' * 16}.partial"
    left.touch()
    fresh.touch()
    os.utime(left, (0, 0))
    make_output_folder(tmp_path)
    assert list(tmp_path.iterdir()) == [fresh]
