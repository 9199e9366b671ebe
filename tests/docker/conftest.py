"""Images built once for all tests of them, where an engine and a base image can be had."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evaluate.rehearsal.runners import find_engine
from predict.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
KIT = ROOT.parent / "shared" / "container" / "container-test.sh"
CPU = "TORCH=torch==2.13.0+cpu"
NO_BASE_IMAGE = 3
ENGINE_SETTINGS = {
    "CONTAINERS_STORAGE_CONF": "storage.conf",
    "CONTAINERS_CONF": "containers.conf",
    "CONTAINERS_REGISTRIES_CONF": "registries.conf",
}

Build = Callable[[str, str], str]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def build() -> Iterator[Build]:
    """Build a Dockerfile of the project under a tag, for the CPU; returns the image's name."""
    if not os.environ.get("TEXT3DSAM_IMAGE_TESTS"):
        pytest.skip("set TEXT3DSAM_IMAGE_TESTS=1 to build the images and rehearse (minutes)")
    with pytest.MonkeyPatch.context() as patch:
        if KIT.is_file() and os.geteuid() == 0:
            yield _kit(patch)
        else:
            yield _engine_build


@pytest.fixture(scope="session")
def engine(build: Build) -> str:  # noqa: ARG001  (it sets the engine up)
    """The engine that holds the images."""
    return find_engine()


@pytest.fixture(scope="session")
def image(build: Build) -> str:
    """The prediction image."""
    return build("Dockerfile", "text3dsam")


@pytest.fixture(scope="session")
def training_image(build: Build) -> str:
    """The training image."""
    return build("docker/train.Dockerfile", "text3dsam-train")


@pytest.fixture
def run_image(engine: str) -> Run:
    """Run a command in an image, without network, with further options of the engine."""

    def run(
        image: str, *command: str, options: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [engine, "run", "--rm", "--network", "none", *options, image, *command],
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def _kit(patch: pytest.MonkeyPatch) -> Build:
    """Build with the container kit, which brings podman and a base image of its own."""
    default = Path(tempfile.gettempdir()) / "text3dsam-images"
    home = Path(os.environ.get("CONTAINER_TEST_HOME", default))
    patch.setenv("CONTAINER_TEST_HOME", str(home))

    def build(dockerfile: str, tag: str) -> str:
        name = f"localhost/{tag}:latest"
        done = subprocess.run(
            [
                *("bash", str(KIT), "--base", "python", "--no-run", "--build-arg", CPU),
                *("--file", str(ROOT / dockerfile), "--tag", name, str(ROOT)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == NO_BASE_IMAGE:
            pytest.skip(f"no engine or base image can be made: {done.stderr[-300:]}")
        assert done.returncode == 0, done.stderr[-3000:]
        for variable, file in ENGINE_SETTINGS.items():
            patch.setenv(variable, str(home / "conf" / file))
        return name

    return build


def _engine_build(dockerfile: str, tag: str) -> str:
    """Build with docker or podman as installed, from the public base image."""
    try:
        engine = find_engine()
    except UsageError as error:
        pytest.skip(str(error))
    base = "docker.io/library/python:3.11-slim-bookworm"
    if subprocess.run([engine, "pull", base], capture_output=True, check=False).returncode:
        pytest.skip(f"{engine} cannot pull {base}")
    command = [engine, "build", "--build-arg", CPU, "-f", dockerfile, "-t", f"{tag}:latest", "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return f"{tag}:latest"
