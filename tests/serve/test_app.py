from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from predict.errors import UsageError
from serve.app import create_app
from serve.settings import Settings
from tests.serve.conftest import FakeSegmenter, put


def test_the_temporary_folder_lives_as_long_as_the_server(
    tmp_path: Path, scan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "temporary"
    root.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(root))
    with TestClient(create_app(FakeSegmenter(), Settings()), base_url="http://localhost") as client:
        put(client, scan)
        (folder,) = root.iterdir()
        assert folder.stat().st_mode & 0o777 == 0o700
        assert [path.name for path in folder.rglob("*.nii.gz")] == ["scan.nii.gz"]
        client.delete(f"/api/images/{client.get('/api/images').json()['images'][0]['id']}")
        assert list(folder.iterdir()) == []
        put(client, scan)
    assert list(root.iterdir()) == []


def test_a_missing_folder_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a folder"):
        create_app(FakeSegmenter(), Settings(folder=tmp_path / "none"))


def test_the_description_names_every_endpoint_and_no_other_host() -> None:
    app = create_app(FakeSegmenter(), Settings())
    with TestClient(app, base_url="http://localhost") as client:
        description = client.get("/api/openapi.json")
        assert client.get("/docs").status_code == 404
    assert "/api/images/{image}/viewer.nii" in description.json()["paths"]
    assert "http" not in description.text.replace("HTTP", "")
