"""A server around a segmenter that needs no network: it finds bright voxels."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import uvicorn
from starlette.testclient import TestClient

from predict.errors import UsageError
from predict.result import PromptResult, Result
from predict.volumes import Volume
from serve.app import create_app
from serve.cli import listen
from serve.settings import Settings

BRIGHT = {"bright": 200, "grey": 100}


class FakeSegmenter:
    """Finds the voxels above a threshold named by the prompt.

    ``bright`` and ``grey`` find something, ``slow`` takes long, ``broken`` fails inside,
    ``refused`` is a user's mistake, anything else finds nothing.
    """

    def __init__(self) -> None:
        self.volume: Volume | None = None
        self.encoded = False
        self.encodings: list[str] = []

    def share(self) -> FakeSegmenter:
        """A fresh one with the same log."""
        other = FakeSegmenter()
        other.encodings = self.encodings
        return other

    def set_image(self, image: Volume) -> Volume:
        """Keep the image."""
        self.volume = image
        return image

    def predict(self, prompts: Sequence[str], *, progress: Callable[[str], None]) -> Result:
        """Threshold."""
        assert self.volume is not None
        if not self.encoded:
            progress("encoding")
            self.encodings.append(str(self.volume.array.shape))
            self.encoded = True
        progress("segmenting")
        labels = np.zeros(self.volume.array.shape, np.uint8)
        for class_id, text in enumerate(prompts, start=1):
            self._one(text, class_id, labels, progress)
        unit = float(np.prod(self.volume.spacing))
        found = [int(np.count_nonzero(labels == i)) for i in range(1, len(prompts) + 1)]
        told = tuple(
            PromptResult(
                class_id=i, text=t, voxels=n, volume_mm3=n * unit, presence=0.9 if n else 0.1
            )
            for i, (t, n) in enumerate(zip(prompts, found, strict=True), start=1)
        )
        return Result(labels=labels, prompts=told, volume=self.volume, seconds={"decode": 0.01})

    def _one(
        self, text: str, class_id: int, labels: np.ndarray, progress: Callable[[str], None]
    ) -> None:
        assert self.volume is not None
        if text == "broken":
            raise RuntimeError("the network fell over")
        if text == "refused":
            raise UsageError("prompt 1: expected a structure, received 'refused'")
        for _ in range(200 if text == "slow" else 0):
            progress("segmenting")
            time.sleep(0.02)
        if text in BRIGHT:
            labels[(self.volume.array >= BRIGHT[text]) & (labels == 0)] = class_id


@contextmanager
def running(settings: Settings, engine: FakeSegmenter | None = None) -> Iterator[str]:
    """A real server on a free port of loopback; its address."""
    with listen("127.0.0.1", 0) as listening:
        app = create_app(engine or FakeSegmenter(), settings)
        config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A NIfTI of (6, 8, 10) voxels: 24 of them bright, 40 grey; oblique, with an origin."""
    return write_scan(tmp_path / "scan.nii.gz")


def write_scan(path: Path) -> Path:
    """See :func:`scan`."""
    array = np.zeros((6, 8, 10), np.int16)
    array[1:3, 1:4, 1:5] = 220
    array[4, :, 2:7] = 120
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing((0.5, 0.75, 2.0))
    image.SetOrigin((10.0, -20.0, 5.0))
    image.SetDirection((0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0))
    SimpleITK.WriteImage(image, str(path))
    return path


def put(client: TestClient, scan: Path, name: str | None = None) -> dict[str, object]:
    """Upload a file and return its facts."""
    answer = client.post(
        "/api/images", params={"name": name or scan.name}, content=scan.read_bytes()
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def wait(client: TestClient, job: str, seconds: float = 10) -> dict[str, object]:
    """The job once it has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = dict(client.get(f"/api/jobs/{job}").json())
        if answer["state"] not in ("queued", "running"):
            return answer
        time.sleep(0.02)
    raise AssertionError(f"job {job} has not ended")
