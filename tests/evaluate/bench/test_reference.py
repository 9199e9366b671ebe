from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evaluate.bench.process import spend
from evaluate.bench.reference import equal_voxels, find_reference, reference_command
from predict.errors import UsageError


def test_the_script_gets_inputs_outputs_and_bundle(tmp_path: Path) -> None:
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "predict.sh").write_text('pwd; echo "$1" "$2" "$3"\n')
    found = find_reference(folder)
    command = reference_command(tmp_path / "in", tmp_path / "out", tmp_path / "bundle")
    told = spend(command, folder=found).output.split()
    assert told == [str(found), *(str(tmp_path / name) for name in ("in", "out", "bundle"))]


def test_a_folder_without_the_script_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected a folder with predict\.sh, found none"):
        find_reference(tmp_path)


def test_share_of_equal_voxels(tmp_path: Path) -> None:
    ours = np.zeros((2, 4, 5), np.uint8)
    theirs = ours.copy()
    theirs[0, 0, :4] = 3
    np.savez(tmp_path / "ours.npz", segs=ours)
    np.savez(tmp_path / "theirs.npz", segs=theirs)
    assert equal_voxels(tmp_path / "ours.npz", tmp_path / "theirs.npz") == pytest.approx(0.9)


def test_a_mask_of_another_shape_or_none_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "ours.npz", segs=np.zeros((2, 4, 5), np.uint8))
    np.savez(tmp_path / "theirs.npz", segs=np.zeros((2, 4, 4), np.uint8))
    for name in ("theirs.npz", "nothing.npz"):
        with pytest.raises(UsageError, match=r"^--reference: no mask to compare: "):
            equal_voxels(tmp_path / "ours.npz", tmp_path / name)
