from __future__ import annotations

import os
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from predict.doctor.folders import check_inputs, check_outputs

Usage = namedtuple("Usage", "total used free")


def test_cases_are_counted(write_npz: Callable[..., Path]) -> None:
    write_npz("a.npz")
    folder = write_npz("b.npz").parent
    check = check_inputs(folder)
    assert (check.status, check.detail) == ("ok", f"{folder}: 2 cases")


def test_no_folder_named_is_no_failure() -> None:
    assert check_inputs(None).status == "ok"
    assert check_outputs(None).status == "ok"


def test_an_absent_and_an_empty_folder(tmp_path: Path) -> None:
    absent = check_inputs(tmp_path / "absent")
    assert absent.status == "fail"
    assert absent.advice
    empty = check_inputs(tmp_path)
    assert empty.status == "warn"
    assert empty.advice


@pytest.mark.parametrize("closed", ["inputs", "a.npz"])
def test_closed_inputs_fail(
    write_npz: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    folder = write_npz("a.npz").parent
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).name != closed)
    check = check_inputs(folder)
    assert check.status == "fail"
    assert "closed" in check.detail
    assert "chmod" in check.advice


def test_outputs_are_tried_and_left_as_they_were(tmp_path: Path) -> None:
    assert check_outputs(tmp_path / "new" / "folder").status == "ok"
    assert check_outputs(tmp_path).status == "ok"
    assert list(tmp_path.iterdir()) == []


def test_outputs_that_cannot_be_written_fail(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert check_outputs(tmp_path / "file" / "below").status == "fail"
    check = check_outputs(tmp_path / "file")
    assert check.status == "fail"
    assert "not writable" in check.detail
    assert "chmod" in check.advice


@pytest.mark.parametrize(("free", "status"), [(10e6, "fail"), (500e6, "warn"), (5e9, "ok")])
def test_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: float, status: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, int(free)))
    check = check_outputs(tmp_path)
    assert check.status == status
    assert bool(check.advice) == (status != "ok")
