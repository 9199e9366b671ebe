"""Requests made up from the OpenAPI description, and damaged image files."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import schemathesis
import SimpleITK
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    negative_data_rejection,
    positive_data_acceptance,
)
from starlette.testclient import TestClient

from serve.app import create_app
from serve.clients.python_client import Client
from serve.limits import Limits
from serve.settings import Settings
from tests.serve.conftest import FakeSegmenter, put, running, write_scan

FAST = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)


NOT_OURS = [
    positive_data_acceptance,  # made-up bytes are no image
    allow_header_conformance,  # the router names the methods of one function, not of the path
]
described = schemathesis.openapi.from_dict(create_app(FakeSegmenter(), Settings()).openapi())


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running server with a folder."""
    folder = tmp_path_factory.mktemp("cases")
    write_scan(folder / "one.nii.gz")
    with running(Settings(folder=folder, limits=Limits(upload_bytes=2**20))) as url:
        yield url


@described.parametrize()
@FAST
def test_every_answer_is_as_described(address: str, case: Any) -> None:
    case.call_and_validate(base_url=address, timeout=5, excluded_checks=NOT_OURS)


@pytest.fixture(scope="module")
def job(address: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Any]:
    """A finished job; another one where the last one's image was deleted."""
    client = Client(address)
    scan = write_scan(tmp_path_factory.mktemp("scan") / "scan.nii.gz")
    last: list[Any] = []

    def finished() -> Any:
        kept = [image["id"] for image in client.images()]
        if not last or last[-1]["image"] not in kept:
            last.append(client.segment(client.upload(scan), ["bright"]))
        return last[-1]

    return finished


@described.include(path_regex="image|job").parametrize()
@settings(FAST, max_examples=8)
def test_answers_about_real_images_and_jobs_are_as_described(
    address: str, job: Callable[[], Any], case: Any
) -> None:
    real = job()
    ids = {"image": real["image"], "job": real["id"], "extends": real["id"]}
    for place in (case.path_parameters, case.body):
        if isinstance(place, dict):
            place.update({key: value for key, value in ids.items() if key in place})
    excluded = [*NOT_OURS, negative_data_rejection]  # what was wrong may have been put right
    case.call_and_validate(base_url=address, timeout=5, excluded_checks=excluded)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """A server to which broken files are sent; a fault inside fails the test."""
    app = create_app(FakeSegmenter(), Settings(limits=Limits(images=3)))
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def whole_files() -> dict[str, bytes]:
    """A small image in every format that can be uploaded."""
    image = SimpleITK.GetImageFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".nii", ".nii.gz", ".mha", ".nrrd"):
            path = Path(folder) / f"x{suffix}"
            SimpleITK.WriteImage(image, str(path))
            files[path.name] = path.read_bytes()
        plane = Path(folder) / "x.tif"
        SimpleITK.WriteImage(SimpleITK.Cast(image, SimpleITK.sitkUInt16), str(plane))
        files[plane.name] = plane.read_bytes()
        slices = Path(folder) / "x.dcm"
        SimpleITK.WriteImage(SimpleITK.Cast(image[:, :, :1], SimpleITK.sitkUInt16), str(slices))
        files[slices.name] = slices.read_bytes()
    packed = io.BytesIO()
    np.savez(packed, imgs=np.zeros((2, 3, 4), np.uint8), spacing=np.ones(3))
    files["x.npz"] = packed.getvalue()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../x.dcm", files["x.dcm"])
    files["x.zip"] = packed.getvalue()
    return files


WHOLE = whole_files()


@settings(FAST, max_examples=100)
@given(
    name=st.sampled_from(sorted(WHOLE)),
    at=st.floats(0, 1),
    wrong=st.binary(min_size=1, max_size=12),
    cut=st.one_of(st.none(), st.floats(0, 1)),
    start=st.booleans(),
)
def test_damaged_files_are_read_or_refused(
    client: TestClient, name: str, at: float, wrong: bytes, cut: float | None, start: bool
) -> None:
    content = bytearray(WHOLE[name])
    reach = min(len(content), 400) if start else len(content)
    place = int(at * (reach - 1))
    content[place : place + len(wrong)] = wrong
    if cut is not None:
        content = content[: int(cut * len(content))]
    answer = client.post("/api/images", params={"name": name}, content=bytes(content))
    assert answer.status_code in (201, 409, 422, 413), answer.text
    if answer.status_code == 201:
        client.delete(f"/api/images/{answer.json()['id']}")
    else:
        assert answer.json()["error"]
        assert "/tmp" not in answer.json()["error"]


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz", "x.mha", "x.nrrd", "x.npz"])
def test_whole_files_are_read(client: TestClient, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(WHOLE[name])
    client.delete(f"/api/images/{put(client, path)['id']}")
