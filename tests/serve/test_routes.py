from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from starlette.testclient import TestClient

from serve.app import create_app
from serve.limits import Limits
from serve.settings import Settings
from tests.serve.conftest import FakeSegmenter, put, wait, write_scan


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one case, and a file outside of it."""
    (tmp_path / "outside.nii.gz").touch()
    (tmp_path / "cases").mkdir()
    write_scan(tmp_path / "cases" / "one.nii.gz")
    return tmp_path / "cases"


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    """A server with small limits."""
    settings = Settings(folder=folder, limits=Limits(images=2, upload_bytes=20_000))
    with TestClient(create_app(FakeSegmenter(), settings), base_url="http://localhost") as client:
        yield client


def labels_of(content: bytes, path: Path) -> SimpleITK.Image:
    """The mask that an answer's body holds."""
    path.write_bytes(content)
    return SimpleITK.ReadImage(str(path))


def test_upload_says_what_the_image_is(client: TestClient, scan: Path) -> None:
    facts = put(client, scan)
    assert facts["name"] == "scan.nii.gz"
    assert facts["kind"] == "nifti"
    assert facts["shape"] == [6, 8, 10]
    assert facts["spacing"] == pytest.approx([0.5, 0.75, 2.0])
    assert facts["range"] == pytest.approx([0, 220])
    assert client.get("/api/images").json()["images"][0]["id"] == facts["id"]
    assert client.get(f"/api/images/{facts['id']}").json()["name"] == "scan.nii.gz"


def test_the_viewer_gets_the_image_with_its_geometry(
    client: TestClient, scan: Path, tmp_path: Path
) -> None:
    identity = put(client, scan)["id"]
    answer = client.get(f"/api/images/{identity}/viewer.nii")
    shown, given = labels_of(answer.content, tmp_path / "v.nii"), SimpleITK.ReadImage(str(scan))
    np.testing.assert_array_equal(
        SimpleITK.GetArrayFromImage(shown), SimpleITK.GetArrayFromImage(given)
    )
    for get in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(shown, get)(), getattr(given, get)(), atol=1e-5)


def test_a_job_from_prompts_to_masks(client: TestClient, scan: Path, tmp_path: Path) -> None:
    image = put(client, scan)["id"]
    asked = {"image": image, "prompts": [" bright ", "unicorn"]}
    submitted = client.post("/api/jobs", json=asked)
    assert submitted.status_code == 202
    job = wait(client, submitted.json()["id"])
    assert job["state"] == "done"
    assert job["prompts"] == ["bright", "unicorn"]
    bright, unicorn = job["classes"]  # type: ignore[misc]
    assert (bright["voxels"], bright["millilitres"]) == (24, 0.018)
    assert (unicorn["voxels"], unicorn["presence"]) == (0, 0.1)
    assert bright["colour"].startswith("#")
    answer = client.get(f"/api/jobs/{job['id']}/mask")
    assert job["mask_name"] in answer.headers["content-disposition"]
    viewer = client.get(f"/api/jobs/{job['id']}/viewer-mask.nii.gz")
    given = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(scan)))
    for content in (answer.content, viewer.content):
        labels = SimpleITK.GetArrayFromImage(labels_of(content, tmp_path / "m.nii.gz"))
        np.testing.assert_array_equal(labels, given >= 200)


def test_prompts_are_added_without_encoding_again(client: TestClient, scan: Path) -> None:
    image = put(client, scan)["id"]
    first = client.post("/api/jobs", json={"image": image, "prompts": ["bright"]}).json()["id"]
    assert wait(client, first)["reused"] is False
    asked = {"image": image, "prompts": ["grey"], "extends": first}
    job = wait(client, client.post("/api/jobs", json=asked).json()["id"])
    assert job["reused"] is True
    assert [c["voxels"] for c in job["classes"]] == [24, 40]  # type: ignore[attr-defined]


def test_cancel_and_results_before_the_end(client: TestClient, scan: Path) -> None:
    image = put(client, scan)["id"]
    job = client.post("/api/jobs", json={"image": image, "prompts": ["slow"]}).json()["id"]
    early = client.get(f"/api/jobs/{job}/mask")
    assert early.status_code == 409
    assert "expected a finished one" in early.json()["error"]
    assert client.delete(f"/api/jobs/{job}").status_code == 200
    assert wait(client, job)["state"] == "cancelled"


def test_a_deleted_image_is_gone(client: TestClient, scan: Path) -> None:
    image = put(client, scan)["id"]
    job = client.post("/api/jobs", json={"image": image, "prompts": ["bright"]}).json()["id"]
    wait(client, job)
    assert client.delete(f"/api/images/{image}").status_code == 204
    for path in (
        f"images/{image}",
        f"images/{image}/viewer.nii",
        f"jobs/{job}",
        f"jobs/{job}/mask",
    ):
        assert client.get(f"/api/{path}").status_code == 404


def test_cases_of_the_folder_are_opened_where_they_lie(client: TestClient, folder: Path) -> None:
    assert client.get("/api/cases").json() == {"cases": ["one.nii.gz"], "complete": True}
    before = sorted(folder.iterdir())
    image = client.post("/api/cases/open", json={"case": "one.nii.gz"})
    assert image.status_code == 201
    asked = {"image": image.json()["id"], "prompts": ["bright"]}
    assert wait(client, client.post("/api/jobs", json=asked).json()["id"])["state"] == "done"
    client.delete(f"/api/images/{image.json()['id']}")
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("case", ["../outside.nii.gz", "/etc/passwd", "two.nii.gz"])
def test_nothing_outside_of_the_folder_is_opened(client: TestClient, case: str) -> None:
    assert client.post("/api/cases/open", json={"case": case}).status_code == 404


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd"]
)
def test_static_files_stay_in_their_folder(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("name", "body", "status", "words"),
    [
        ("x.exe", b"x", 415, "expected a file ending in"),
        ("x.nii.gz", b"", 422, "received nothing"),
        ("x.nii.gz", b"no image", 422, "x.nii.gz"),
        ("x.npz", b"no archive", 422, "not a readable archive"),
        ("x.nii", bytes(20_001), 413, "expected at most 20000 bytes"),
    ],
)
def test_bad_uploads_are_refused_and_leave_nothing(
    client: TestClient, name: str, body: bytes, status: int, words: str
) -> None:
    answer = client.post("/api/images", params={"name": name}, content=body)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert "/tmp" not in answer.json()["error"]
    assert client.get("/api/images").json()["images"] == []


def test_a_stream_without_a_length_is_cut_at_the_limit(client: TestClient) -> None:
    chunks = iter([bytes(15_000), bytes(15_000)])
    answer = client.post("/api/images", params={"name": "x.nii"}, content=chunks)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"image": "x"}, "prompts: field required"),
        ({"image": "x", "prompts": []}, "prompts: "),
        ({"image": "x", "prompts": ["  "]}, "prompts.0: "),
        ({"image": "x", "prompts": ["a"], "more": 1}, "more: "),
        ([], "request: "),
    ],
)
def test_wrong_requests_are_answered_in_one_line(
    client: TestClient, body: object, words: str
) -> None:
    answer = client.post("/api/jobs", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(words)
    assert "\n" not in answer.json()["error"]


def test_without_a_folder_there_are_no_cases(scan: Path) -> None:
    app = create_app(FakeSegmenter(), Settings())
    with TestClient(app, base_url="http://localhost") as client:
        assert client.get("/api/about").json()["folder"] is False
        assert client.get("/api/cases").status_code == 404
        opened = client.post("/api/cases/open", json={"case": scan.name})
        assert opened.status_code == 404


def test_a_challenge_case_gets_its_mask_as_npz(client: TestClient, tmp_path: Path) -> None:
    array = np.zeros((3, 4, 5), np.uint8)
    array[1] = 250
    path = tmp_path / "case.npz"
    np.savez_compressed(path, imgs=array, spacing=np.array([1.0, 1.0, 2.0]))
    image = put(client, path)["id"]
    job = client.post("/api/jobs", json={"image": image, "prompts": ["bright"]}).json()["id"]
    wait(client, job)
    with np.load(io.BytesIO(client.get(f"/api/jobs/{job}/mask").content)) as mask:
        np.testing.assert_array_equal(mask["segs"], array == 250)
