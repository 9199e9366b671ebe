"""Surfaces of found structures as a mesh file, for 3D viewers and printers.

Coordinates are millimetres in LPS patient space (x to the patient's left, y to the back, z to the
head), the convention of DICOM, SimpleITK and 3D Slicer's mesh files.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from predict.atomic import replacing
from predict.colours import label_colour
from predict.errors import UsageError

if TYPE_CHECKING:
    from predict.result import Result

ENDINGS = (".stl", ".obj", ".ply")
SMOOTHING_STEPS = 10


def write_surface(result: Result, path: Path, prompts: Sequence[str] | None = None) -> Path:
    """Write one file with the surfaces of prompts.

    Marching cubes at half, then Taubin smoothing, which keeps the volume; the mask itself is not
    touched. OBJ and PLY carry the colours of the labels, OBJ also a group for each prompt.

    Args:
        result: Labels, image geometry and prompts.
        path: ``.stl``, ``.obj`` or ``.ply``.
        prompts: Which ones; all found ones if None.

    Returns:
        The path.

    Raises:
        UsageError: Another ending, libraries missing, an unknown prompt, or nothing found.
    """
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(f"surface: expected {', '.join(ENDINGS)}, received {path.name}")
    known = [prompt.text for prompt in result.prompts]
    for text in prompts or ():
        if text not in known:
            raise UsageError(f'surface: expected one of the prompts {known}, received "{text}"')
    wanted = [p for p in result.prompts if p.found and (prompts is None or p.text in prompts)]
    if not wanted:
        raise UsageError("surface: expected a found structure, none of the prompts was found")
    trimesh, _ = surface_libraries()
    scene = trimesh.Scene()
    for prompt in wanted:
        mesh = _mesh(result, result.mask(prompt.text), label_colour(prompt.class_id))
        scene.add_geometry(mesh, geom_name=prompt.text, node_name=prompt.text)
    body = scene if path.suffix.lower() == ".obj" else scene.to_mesh()
    data = body.export(file_type=path.suffix.lower().removeprefix("."))
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def _mesh(result: Result, mask: np.ndarray, colour: tuple[int, int, int]) -> Any:
    trimesh, measure = surface_libraries()
    occupied = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {a}))) for a in range(3)]
    box = tuple(slice(int(o[0]), int(o[-1]) + 1) for o in occupied)
    padded = np.pad(mask[box], 1).astype(np.float32)
    vertices, faces, _, _ = measure.marching_cubes(padded, 0.5)
    index = vertices + [o[0] - 1 for o in occupied]
    mesh = trimesh.Trimesh(to_patient(index, result), faces, process=False)
    mesh.fix_normals()
    trimesh.smoothing.filter_taubin(mesh, iterations=SMOOTHING_STEPS)
    mesh.visual.vertex_colors = (*colour, 255)
    return mesh


def to_patient(index: np.ndarray, result: Result) -> np.ndarray:
    """(N, 3) array indices (z, y, x) of the file's grid -> (N, 3) mm (x, y, z) in LPS."""
    volume = result.volume
    steps = np.reshape(volume.direction, (3, 3)) * np.asarray(volume.spacing)
    return np.asarray(index[:, ::-1] @ steps.T + np.asarray(volume.origin))


def surface_libraries() -> tuple[Any, Any]:
    """trimesh and skimage.measure.

    Raises:
        UsageError: One of them is not installed; the message says how to get it.
    """
    try:
        return import_module("trimesh"), import_module("skimage.measure")
    except ImportError as error:
        raise UsageError(
            f"surface: expected the library {error.name}; "
            "install it with: pip install -r predict/requirements-surface.txt"
        ) from error
