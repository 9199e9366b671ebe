"""A folder of small cases, runs of it in processes of their own, and what they should give."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.faults.small_cases import ROOT, read_masks, write_cases

COUNT = 12


@dataclass(frozen=True)
class Job:
    """One folder run: where it reads and writes, and how it is started.

    Attributes:
        prefix: Words before the interpreter, such as ``unshare``.
        environment: Of the process; the caller's if empty.
    """

    inputs: Path
    outputs: Path
    bundle: Path
    prefix: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def arguments(self) -> list[str]:
        """Those of ``python -m predict``."""
        return ["run", str(self.inputs), str(self.outputs), f"--bundle={self.bundle}"]

    def start(self, *options: str, **settings: Any) -> subprocess.Popen[str]:
        """Start it; messages are on ``stderr``."""
        environment = dict(self.environment) or {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [*self.prefix, sys.executable, "-m", "predict", *self.arguments(), *options],
            cwd=ROOT,
            env=environment,
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            **settings,
        )

    def run(self, *options: str, **settings: Any) -> tuple[int, str]:
        """Run it to its end; returns exit status and messages."""
        process = self.start(*options, **settings)
        _, messages = process.communicate(timeout=600)
        return process.returncode, messages

    def report(self) -> dict[str, Any]:
        """The report's cases by name."""
        cases = json.loads((self.outputs / "report.json").read_text())["cases"]
        return {case["case"]: case for case in cases}

    def masks(self) -> dict[str, bytes]:
        """Contents of all outputs by name."""
        return read_masks(self.outputs)


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """COUNT small cases; not to be changed."""
    return write_cases(tmp_path_factory.mktemp("faults") / "inputs", COUNT)


@pytest.fixture
def job(inputs: Path, tiny_bundle: Path, tmp_path: Path) -> Job:
    """A run of all cases."""
    return Job(inputs, tmp_path / "outputs", tiny_bundle)


@pytest.fixture(scope="session")
def expected(
    inputs: Path, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """Outputs of a run that nothing disturbed."""
    undisturbed = Job(inputs, tmp_path_factory.mktemp("faults") / "outputs", tiny_bundle)
    status, messages = undisturbed.run()
    assert status == 0, messages
    return undisturbed.masks()


@pytest.fixture(scope="session")
def in_own_mounts() -> Callable[..., tuple[str, ...]]:
    """A prefix that runs a shell script, then the command, among mounts that nobody else sees."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("only root can mount, and only where it is let")

    def prefix(script: str, *options: str) -> tuple[str, ...]:
        return ("unshare", "-m", *options, "sh", "-ec", f'{script}\nexec "$@"', "sh")

    return prefix


def is_background(path: Path) -> bool:
    """Whether an output holds nothing but background."""
    with np.load(path) as arrays:
        return not arrays["segs"].any()
