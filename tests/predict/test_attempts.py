from __future__ import annotations

import os
from pathlib import Path

from predict.attempts import FOLDER, begin_attempt, end_attempt, forget_attempts


def test_attempts_are_counted_until_one_ends(tmp_path: Path) -> None:
    assert [begin_attempt(tmp_path, "a.npz") for _ in range(3)] == [1, 2, 3]
    assert begin_attempt(tmp_path, "b.npz") == 1
    end_attempt(tmp_path, "a.npz")
    assert begin_attempt(tmp_path, "a.npz") == 1


def test_a_note_names_the_process(tmp_path: Path) -> None:
    begin_attempt(tmp_path, "a.npz")
    _, process = (tmp_path / FOLDER / "a.npz").read_text().split()
    assert int(process) == os.getpid()


def test_notes_are_forgotten(tmp_path: Path) -> None:
    begin_attempt(tmp_path, "a.npz")
    end_attempt(tmp_path, "a.npz")
    end_attempt(tmp_path, "a.npz")
    begin_attempt(tmp_path, "b.npz")
    forget_attempts(tmp_path)
    assert list(tmp_path.iterdir()) == []
    forget_attempts(tmp_path)
