from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from serve.clients import python_client
from serve.clients.python_client import Client, ServerError
from serve.settings import Settings
from tests.serve.conftest import running

TOKEN = "a-long-enough-token"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A running server that asks for a token."""
    with running(Settings(token=TOKEN)) as url:
        yield url


@pytest.fixture
def client(address: str, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client that does not wait long."""
    monkeypatch.setattr(python_client, "POLL_SECONDS", 0.02)
    return Client(f"{address}/#token={TOKEN}", TOKEN)


def labels(path: Path) -> np.ndarray:
    """The mask in a file."""
    return np.asarray(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))))


def test_from_a_file_to_its_mask(client: Client, scan: Path, tmp_path: Path) -> None:
    assert ".nii.gz" in client.about()["suffixes"]
    image = client.upload(scan)
    seen: list[str] = []
    result = client.segment(image, ["bright"], progress=lambda stage, _: seen.append(stage))
    assert seen
    more = client.segment(image, ["grey"], add_to=result)
    assert [c["voxels"] for c in more["classes"]] == [24, 40]
    given = labels(scan)
    for as_nifti in (False, True):
        mask = labels(client.download_mask(more, tmp_path, as_nifti=as_nifti))
        np.testing.assert_array_equal(mask == 1, given == 220)
        np.testing.assert_array_equal(mask == 2, given == 120)
    client.remove(image)
    with pytest.raises(ServerError, match="not here"):
        client.segment(image, ["bright"])


def test_refusals_are_the_servers_words(client: Client, address: str, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("no image")
    with pytest.raises(ServerError, match="expected a file ending in") as refusal:
        client.upload(tmp_path / "x.txt")
    assert refusal.value.status == 415
    with pytest.raises(ServerError, match="token: expected"):
        Client(address).about()
    with pytest.raises(ServerError, match="no server answers"):
        Client("http://127.0.0.1:9").about()


def test_an_interrupt_cancels_the_job(client: Client, scan: Path) -> None:
    image = client.upload(scan)

    def stop(stage: str, part: float) -> None:
        raise KeyboardInterrupt(f"{stage} {part}")

    with pytest.raises(KeyboardInterrupt):
        client.segment(image, ["slow"], progress=stop)
    assert client.segment(image, ["bright"])["classes"][0]["voxels"] == 24


def test_failures_of_a_job_are_raised(client: Client, scan: Path) -> None:
    with pytest.raises(ServerError, match="the network fell over"):
        client.segment(client.upload(scan), ["broken"])


def test_the_client_needs_nothing_but_python() -> None:
    source = Path(python_client.__file__).read_text(encoding="utf-8")
    imported = set(re.findall(r"^(?:import|from) (\w+)", source, re.MULTILINE))
    assert imported <= {
        "__future__", "collections", "json", "pathlib", "shutil", "time", "typing", "urllib",
    }  # fmt: skip
