"""Inputs that change, shrink or go while they are read."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from predict import npz
from predict.cases import Case
from predict.errors import CaseError
from predict.npz import read_case
from tests.faults.conftest import COUNT, Job
from tests.faults.test_disk import wait_for_outputs

Change = Callable[[Path], None]


@pytest.fixture
def own_inputs(job: Job, tmp_path: Path) -> Job:
    """A run whose inputs may be changed."""
    return dataclasses.replace(job, inputs=Path(shutil.copytree(job.inputs, tmp_path / "inputs")))


def _read_while(path: Path, change: Change, monkeypatch: pytest.MonkeyPatch) -> Case:
    """Read a case that changes after its header was read."""
    read = npz.read_numbers

    def changed(*arguments: object) -> np.ndarray:
        change(path)
        return read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(npz, "read_numbers", changed)
    return read_case(path)


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(20000)
        file.write(bytes(5000))


@pytest.mark.parametrize("change", [_truncate, _empty, _overwrite])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_file_that_changes_below_the_reader_is_refused_and_its_shape_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change, save: Callable[..., None]
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 60), np.uint8)
    prompts = np.array({"1": "liver", "instance_label": 0}, dtype=object)
    save(tmp_path / "a.npz", imgs=image, spacing=np.ones(3), text_prompts=prompts)
    with pytest.raises(CaseError, match=r"^a\.npz: ") as caught:
        _read_while(tmp_path / "a.npz", change, monkeypatch)
    assert caught.value.shape == image.shape


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"another file")])
def test_a_file_that_is_replaced_is_read_to_its_end(
    own_inputs: Job, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    path = own_inputs.inputs / "case000.npz"
    expected = read_case(path).image

    def replace(path: Path) -> None:
        other = path.with_name("other")
        other.touch()
        change(other)
        if other.exists():
            other.replace(path)
        else:
            path.unlink()

    np.testing.assert_array_equal(_read_while(path, replace, monkeypatch).image, expected)


def _into_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _into_a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("case000.npz"))


def _into_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _into_nothing(path: Path) -> None:
    path.unlink()


def test_what_is_no_file_any_more_when_its_turn_comes_fails_alone(
    own_inputs: Job, expected: dict[str, bytes]
) -> None:
    process = own_inputs.start()
    wait_for_outputs(own_inputs, 1)
    changes = (_into_a_folder, _into_a_link, _into_a_pipe, _into_nothing)
    names = [f"case{COUNT - 1 - i:03}.npz" for i in range(len(changes))]
    process.send_signal(signal.SIGSTOP)
    for name, change in zip(names, changes, strict=True):
        change(own_inputs.inputs / name)
    process.send_signal(signal.SIGCONT)
    _, messages = process.communicate(timeout=600)
    for name in names:
        assert f"failed: {name}: expected a file, received " in messages
    assert own_inputs.masks() == {k: v for k, v in expected.items() if k not in names}


def test_an_input_folder_that_goes_fails_the_rest(
    own_inputs: Job, expected: dict[str, bytes]
) -> None:
    process = own_inputs.start()
    wait_for_outputs(own_inputs, 1)
    own_inputs.inputs.rename(own_inputs.inputs.with_name("elsewhere"))
    _, messages = process.communicate(timeout=600)
    assert "Traceback" not in messages
    masks, report = own_inputs.masks(), own_inputs.report()
    assert len(report) == COUNT
    assert {name for name, case in report.items() if case["status"] == "ok"} == set(masks)
    assert all(expected[name] == content for name, content in masks.items())
