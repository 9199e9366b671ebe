"""Ways to predict one case in a fresh process: the organizers' container command, or none."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from predict.errors import UsageError

ENGINES = ("docker", "podman")
MEMORY = "32G"
PREDICT_SH = Path(__file__).resolve().parents[2] / "predict.sh"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a runner saw from outside.

    Attributes:
        seconds: Wall time of the command, start-up and removal of a container included.
        exit_status: Of the command; None if it was stopped for taking too long.
        message: Last line it wrote to stderr.
    """

    seconds: float
    exit_status: int | None
    message: str


class Runner(Protocol):
    """Predicts INPUTS/CASE.npz to OUTPUTS/CASE.npz in a new process."""

    def run(self, inputs: Path, outputs: Path, patience: float) -> Outcome:
        """Run once; stopped after ``patience`` seconds."""
        ...


@dataclass(frozen=True, kw_only=True)
class ContainerRunner:
    """The organizers' command line, and no network.

    Attributes:
        engine: Docker or podman.
        image: Name of the image.
        gpu: Whether the container gets GPU 0.
    """

    engine: str
    image: str
    gpu: bool

    @property
    def name(self) -> str:
        """Name of the container: the team's, as the image's."""
        return self.image.rpartition("/")[2].partition(":")[0]

    def command(self, inputs: Path, outputs: Path) -> list[str]:
        """Command line for two mounted folders."""
        devices = {"docker": ["--gpus", "device=0"], "podman": ["--device", "nvidia.com/gpu=0"]}
        return [
            *(self.engine, "container", "run"),
            *(devices[self.engine] if self.gpu else []),
            *("-m", MEMORY, "--network", "none", "--name", self.name, "--rm"),
            *("-v", f"{inputs}:/workspace/inputs/", "-v", f"{outputs}:/workspace/outputs/"),
            *(self.image, "/bin/bash", "-c", "sh predict.sh"),
        ]

    def run(self, inputs: Path, outputs: Path, patience: float) -> Outcome:
        """See Runner."""

        def stop() -> None:
            subprocess.run([self.engine, "kill", self.name], capture_output=True, check=False)

        return _timed(self.command(inputs, outputs), patience, stop)


@dataclass(frozen=True)
class ProcessRunner:
    """``sh predict.sh`` of this project, without a container."""

    def run(self, inputs: Path, outputs: Path, patience: float) -> Outcome:
        """See Runner."""
        return _timed(["sh", str(PREDICT_SH), str(inputs), str(outputs)], patience)


def find_engine(wanted: str | None = None) -> str:
    """An engine that answers: the wanted one, or docker before podman.

    Raises:
        UsageError: None does; says what each of them lacks.
    """
    reasons = []
    for engine in (wanted,) if wanted else ENGINES:
        if shutil.which(engine) is None:
            reasons.append(f"{engine} is not installed")
            continue
        answer = subprocess.run([engine, "info"], capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            return engine
        reasons.append(f"{engine} does not answer ({_last_line(answer.stderr)})")
    raise UsageError(
        f"expected docker or podman: {'; '.join(reasons)}; --no-container goes without"
    )


def find_image(engine: str, image: str) -> None:
    """Make sure that the engine has an image.

    Raises:
        UsageError: It has not.
    """
    command = [engine, "image", "inspect", image]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise UsageError(f"expected an image {image} in {engine}: build it with docker/build.sh")


def has_gpu() -> bool:
    """Whether an NVIDIA driver lists a GPU here."""
    if shutil.which("nvidia-smi") is None:
        return False
    return subprocess.run(["nvidia-smi", "-L"], capture_output=True, check=False).returncode == 0


def _timed(
    command: Sequence[str], patience: float, stop: Callable[[], None] | None = None
) -> Outcome:
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    try:
        _, errors = process.communicate(timeout=patience)
        status: int | None = process.returncode
    except subprocess.TimeoutExpired:
        if stop is not None:
            stop()
        process.kill()
        _, errors = process.communicate()
        status = None
    return Outcome(
        seconds=time.perf_counter() - start, exit_status=status, message=_last_line(errors)
    )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1][:200]
