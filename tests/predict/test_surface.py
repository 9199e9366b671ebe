from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from predict.errors import UsageError
from predict.result import PromptResult, Result
from predict.surface import to_patient, write_surface
from predict.volumes import Volume

TURNED = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)


@pytest.fixture
def result() -> Result:
    """A ball of radius 12 mm around the grid point (x, y, z) = (30, 20, 10), and nothing else."""
    z, y, x = np.indices((20, 40, 60))
    ball = (2 * (z - 10)) ** 2 + (y - 20) ** 2 + (x - 30) ** 2 <= 12**2
    prompts = (
        PromptResult(class_id=3, text="ball", voxels=int(ball.sum()), volume_mm3=2 * ball.sum()),
        PromptResult(class_id=4, text="cube", voxels=0, volume_mm3=0.0),
    )
    volume = Volume(array=ball, spacing=(1.0, 1.0, 2.0), origin=(5.0, 6.0, 7.0), direction=TURNED)
    return Result(labels=ball.astype(np.uint8) * np.uint8(3), prompts=prompts, volume=volume)


def test_indices_become_patient_coordinates(result: Result) -> None:
    """One step along the grid's x is one mm towards the back, along y one to the right."""
    np.testing.assert_allclose(
        to_patient(np.array([[10, 20, 30], [0, 0, 0]]), result), [[-15, 36, 27], [5, 6, 7]]
    )


@pytest.mark.parametrize("ending", ["stl", "obj", "ply"])
def test_a_ball_is_a_closed_surface_of_its_volume(
    result: Result, tmp_path: Path, ending: str
) -> None:
    trimesh = pytest.importorskip("trimesh")
    path = write_surface(result, tmp_path / f"ball.{ending}")
    mesh = trimesh.load(path, force="mesh")
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 12**3, rel=0.05)
    np.testing.assert_allclose(mesh.bounds.mean(axis=0), (-15, 36, 27), atol=0.2)
    assert [p.name for p in tmp_path.iterdir()] == [f"ball.{ending}"]


def test_an_obj_has_a_group_with_the_prompts_name(result: Result, tmp_path: Path) -> None:
    pytest.importorskip("trimesh")
    assert "\no ball\n" in write_surface(result, tmp_path / "b.obj").read_text()


@pytest.mark.parametrize(
    ("name", "prompts", "message"),
    [
        ("a.gltf", None, "expected .stl, .obj, .ply, received a.gltf"),
        ("a.stl", ["heart"], 'received "heart"'),
        ("a.stl", ["cube"], "none of the prompts was found"),
    ],
)
def test_wrong_calls(
    result: Result, tmp_path: Path, name: str, prompts: list[str] | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        write_surface(result, tmp_path / name, prompts)


def test_a_missing_library_is_named(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "trimesh", None)
    with pytest.raises(UsageError, match="pip install -r predict/requirements-surface"):
        write_surface(result, tmp_path / "a.stl")
