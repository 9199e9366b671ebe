from __future__ import annotations

import contextlib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from fuzz.guard import Guard, runs
from fuzz.hostile_archives import (
    bombs,
    every_lie,
    every_truncation,
    good_npz,
    readable_archives,
    refused_archives,
)
from fuzz.seeds import IMAGE
from predict.cases import Case
from predict.errors import CaseError
from predict.npz import read_case

REFUSED, READABLE = refused_archives(), readable_archives()
BOMBS = bombs(48 * 2**20)


def read(guard: Guard, folder: Path, data: bytes) -> Case:
    path = folder / "case.npz"
    path.unlink(missing_ok=True)  # a disk waits when a file is cut to nothing and written again
    path.write_bytes(data)
    case = runs(guard, lambda: read_case(path, max_bytes=2**20), folder)
    assert isinstance(case, Case)
    return case


@pytest.mark.parametrize("name", REFUSED)
def test_each_is_refused_in_one_line(guard: Guard, tmp_path: Path, name: str) -> None:
    with pytest.raises(CaseError, match=r"^case\.npz: ") as caught:
        read(guard, tmp_path, REFUSED[name])
    assert "\n" not in str(caught.value)
    assert not guard.breaches
    assert [path.name for path in tmp_path.iterdir()] == ["case.npz"]


@pytest.mark.parametrize("name", READABLE)
def test_odd_ones_are_read_and_leave_nothing(guard: Guard, tmp_path: Path, name: str) -> None:
    case = read(guard, tmp_path, READABLE[name])
    assert [prompt.text for prompt in case.prompts] == ["liver in CT", "left kidney"]
    if "overlapping" in name:
        assert case.image.shape == (64, 64, 64)
    else:
        np.testing.assert_array_equal(case.image, IMAGE)
    assert [path.name for path in tmp_path.iterdir()] == ["case.npz"]


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_takes_no_memory(tmp_path: Path, name: str) -> None:
    path = tmp_path / "case.npz"
    path.write_bytes(BOMBS[name])
    assert len(BOMBS[name]) < 2**20
    tracemalloc.start()
    with contextlib.suppress(CaseError):
        read_case(path, max_bytes=2**20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * 2**20


def test_a_large_table_of_members_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "case.npz"
    path.write_bytes(REFUSED["a directory of 300,000 members"])
    with pytest.raises(CaseError, match="expected a table of members of at most 1048576 bytes"):
        read_case(path)


def test_a_file_cut_off_anywhere_is_refused(guard: Guard, tmp_path: Path) -> None:
    for data in every_truncation(good_npz()):
        with pytest.raises(CaseError, match="not a readable npz"):
            read(guard, tmp_path, data)


def test_a_file_with_any_byte_changed_is_read_or_refused(guard: Guard, tmp_path: Path) -> None:
    messages = []
    for data in every_lie(good_npz())[::5]:
        try:
            read(guard, tmp_path, data)
        except CaseError as error:
            messages.append(str(error))
    assert len(messages) > 100
    assert not any("\n" in message for message in messages)
