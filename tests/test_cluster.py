from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from predict.cli import main
from predict.exit_status import GOOD

ROOT = Path(__file__).resolve().parents[1]
SLURM = ROOT / "docs" / "cluster" / "slurm.sh"
WriteNpz = Callable[..., Path]


@pytest.fixture
def inputs(write_npz: WriteNpz) -> Path:
    for i in range(5):
        folder = write_npz(f"{i}.npz", imgs=np.zeros((4 + i, 6, 5), np.uint8)).parent
    return folder


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    """The specification of the Kubernetes Job."""
    manifest = yaml.safe_load((ROOT / "docs" / "cluster" / "kubernetes.yaml").read_text())
    assert (manifest["apiVersion"], manifest["kind"]) == ("batch/v1", "Job")
    specification: dict[str, Any] = manifest["spec"]
    return specification


def _run(command: list[str], **variables: str) -> None:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "TEXT3DSAM_PYTHON": sys.executable, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _check_outputs(inputs: Path, outputs: Path, parts: int) -> None:
    """All outputs are there, every case was predicted once, and the reports make one."""
    names = sorted(path.name for path in inputs.iterdir())
    assert sorted(path.name for path in outputs.glob("*.npz")) == names
    assert main(["merge-reports", str(outputs)]) == GOOD
    report = json.loads((outputs / "report.json").read_text())
    assert report["parts"] == parts
    assert [case["case"] for case in report["cases"]] == names
    assert {case["status"] for case in report["cases"]} == {"ok"}


def test_the_tasks_of_a_slurm_array_predict_everything(
    inputs: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    outputs = tmp_path / "out put"
    for task, more in (("1", {}), ("2", {"PARTS": "2", "SLURM_ARRAY_TASK_MAX": "9"})):
        variables = {
            "SLURM_SUBMIT_DIR": str(ROOT),
            "SLURM_ARRAY_TASK_ID": task,
            "SLURM_ARRAY_TASK_MAX": "2",
            "SLURM_CPUS_PER_TASK": "1",
            **more,
        }
        command = ["sh", str(SLURM), str(inputs), str(outputs), "--bundle", str(tiny_bundle)]
        _run(command, **variables)
    _check_outputs(inputs, outputs, 2)


def test_the_requests_to_slurm_stand_before_the_first_command() -> None:
    """Later ones would be ignored."""
    lines = SLURM.read_text().splitlines()
    first = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
    requests = [i for i, line in enumerate(lines) if line.startswith("#SBATCH ")]
    assert requests
    assert max(requests) < first


def test_the_pods_of_a_kubernetes_job_predict_everything(
    inputs: Path, job: dict[str, Any], tmp_path: Path
) -> None:
    (container,) = job["template"]["spec"]["containers"]
    outputs = tmp_path / "out"
    for index in ("0", "1"):
        _run(
            [*container["command"], *container["args"]],
            JOB_COMPLETION_INDEX=index,
            PARTS="2",
            INPUTS=str(inputs),
            OUTPUTS=str(outputs),
        )
    _check_outputs(inputs, outputs, 2)


def test_the_kubernetes_job_is_consistent(job: dict[str, Any]) -> None:
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    values = {variable["name"]: variable["value"] for variable in container["env"]}
    assert job["completionMode"] == "Indexed"
    assert values["PARTS"] == str(job["completions"])
    used = set(re.findall(r"\$\(?\(?([A-Z_]+)", container["args"][0]))
    assert used == {*values, "JOB_COMPLETION_INDEX"}
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert {volume["name"] for volume in pod["volumes"]} == set(mounts)
    assert {mounts["inputs"]["mountPath"], mounts["outputs"]["mountPath"]} == {
        values["INPUTS"],
        values["OUTPUTS"],
    }
