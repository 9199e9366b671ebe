from __future__ import annotations

import socket
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from starlette.testclient import TestClient

from serve.app import create_app
from serve.settings import Settings
from tests.predict.formats.conftest import write_series
from tests.serve.conftest import FakeSegmenter, put, running, wait

__all__ = ["write_series"]


@pytest.fixture
def client() -> Iterator[TestClient]:
    """A server."""
    with TestClient(create_app(FakeSegmenter(), Settings()), base_url="http://localhost") as client:
        yield client


@pytest.fixture
def study(tmp_path: Path, write_series: Callable[..., Path]) -> Path:
    """A zip of two DICOM series: three slices with bright voxels, two slices without."""
    image = np.zeros((3, 4, 5), np.int16)
    image[1, 1:3] = 250
    write_series(tmp_path / "study" / "a", image, np.eye(3))
    write_series(tmp_path / "study" / "b", image[:2] * 0, np.eye(3), SeriesInstanceUID="1.2.3.5")
    path = tmp_path / "study.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted((tmp_path / "study").rglob("*.dcm")):
            archive.write(file, file.relative_to(tmp_path))
    return path


def test_a_zip_of_several_series_asks_which_one(client: TestClient, study: Path) -> None:
    content = study.read_bytes()
    answer = client.post("/api/images", params={"name": study.name}, content=content)
    assert answer.status_code == 409
    first, second = answer.json()["choices"]
    assert first.startswith("3 slices, CT")
    assert second.startswith("2 slices, CT")
    chosen = {"name": study.name, "series": "2"}
    assert client.post("/api/images", params=chosen, content=content).json()["shape"][0] == 2
    wrong = client.post("/api/images", params=chosen | {"series": "7"}, content=content)
    assert (wrong.status_code, "choices" in wrong.json()) == (422, False)


def test_a_dicom_series_gets_a_dicom_segmentation(
    client: TestClient, study: Path, tmp_path: Path
) -> None:
    chosen = {"name": study.name, "series": "1"}
    image = client.post("/api/images", params=chosen, content=study.read_bytes()).json()
    assert (image["kind"], image["modality"], image["shape"]) == ("dicom", "CT", [3, 4, 5])
    asked = {"image": image["id"], "prompts": ["bright", "unicorn"]}
    job = wait(client, client.post("/api/jobs", json=asked).json()["id"])
    assert job["error"] is None
    assert str(job["mask_name"]).endswith(".dcm")
    path = tmp_path / "mask.dcm"
    path.write_bytes(client.get(f"/api/jobs/{job['id']}/mask").content)
    assert pydicom.dcmread(path).Modality == "SEG"


def test_messages_do_not_tell_where_files_lie(client: TestClient, tmp_path: Path) -> None:
    broken = tmp_path / "x.zip"
    with zipfile.ZipFile(broken, "w") as archive:
        archive.writestr("a.dcm", b"no dicom")
    answer = client.post("/api/images", params={"name": "x.zip"}, content=broken.read_bytes())
    assert answer.status_code == 422
    assert "text3dsam-serve" not in answer.json()["error"]
    assert client.get("/api/images").json() == {"images": []}


def test_an_unfinished_upload_takes_no_place(client: TestClient, scan: Path) -> None:
    for _ in range(20):
        client.post("/api/images", params={"name": "x.nii.gz"}, content=b"no image")
    put(client, scan)


def test_an_upload_that_breaks_off_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    head = b"POST /api/images?name=x.nii HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\n"
    with running(Settings()) as url:
        (folder,) = tmp_path.iterdir()
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as connection:
            connection.sendall(head + bytes(99))
            until(lambda: any(folder.iterdir()))
        until(lambda: not any(folder.iterdir()))


def until(true: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
