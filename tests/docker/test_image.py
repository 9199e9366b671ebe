"""The prediction image as an organizer meets it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evaluate.cli import main
from examples.__main__ import write_examples

Run = Callable[..., subprocess.CompletedProcess[str]]
LARGEST = 1.3e9
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """Two synthetic cases, one of them with instances."""
    write_examples(tmp_path / "all")
    folder = tmp_path / "inputs"
    folder.mkdir()
    for case in ("Microscopy_synthetic_nuclei.npz", "PET_synthetic_lesions.npz"):
        shutil.copy(tmp_path / "all" / "inputs" / case, folder)
    return folder


def mounts(inputs: Path, outputs: Path) -> tuple[str, ...]:
    return (
        *("-v", f"{inputs}:/workspace/inputs/:ro"),
        *("-v", f"{outputs}:/workspace/outputs/"),
    )


def outputs_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_contract_is_rehearsed_on_two_cases(
    image: str, inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = tmp_path / "outputs"
    status = main(["rehearse", f"--inputs={inputs}", f"--outputs={outputs}", f"--image={image}"])
    shown = capsys.readouterr().out
    assert status == 0, shown
    cases = json.loads((outputs / "rehearsal.json").read_text())["cases"]
    assert [case["problems"] + case["notes"] for case in cases] == [[], []]
    assert all(case["stages"]["imports"] > 0 for case in cases)
    assert all(case["stages"]["container"] > 0 for case in cases)
    with np.load(outputs / "PET_synthetic_lesions.npz") as arrays:
        assert arrays["segs"].any()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder that is root's alone")
@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_a_folder_of_root_is_written_without_being_root(
    image: str, run_image: Run, inputs: Path, tmp_path: Path, mode: int
) -> None:
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    outputs.chmod(mode)
    command = ("/bin/bash", "-c", "sh predict.sh")
    done = run_image(image, *command, options=mounts(inputs, outputs))
    assert done.returncode == 0, done.stderr
    assert {path.stat().st_uid for path in outputs.iterdir()} == {1000}


def test_read_only_root_and_no_capabilities(
    image: str, run_image: Run, inputs: Path, tmp_path: Path
) -> None:
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    outputs.chmod(0o777)
    strict = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "all")
    strict += ("--security-opt", "no-new-privileges")
    done = run_image(
        image, "/bin/bash", "-c", "sh predict.sh", options=(*mounts(inputs, outputs), *strict)
    )
    assert done.returncode == 0, done.stderr
    assert outputs_of(outputs) == sorted([*outputs_of(inputs), "report.json"])


def test_the_doctor_finds_nothing_wrong(
    image: str, run_image: Run, inputs: Path, tmp_path: Path
) -> None:
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    outputs.chmod(0o777)
    done = run_image(image, "sh", "predict.sh", "--doctor", options=mounts(inputs, outputs))
    assert done.returncode == 0, done.stdout
    assert "/workspace/inputs: 2 cases" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("prediction works here")


def test_any_user_without_a_home_and_with_little_shared_memory(
    image: str, run_image: Run, inputs: Path, tmp_path: Path
) -> None:
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    outputs.chmod(0o777)
    bare = ("--user", "12345:12345", "--read-only", "--shm-size", "64m", "--cap-drop", "all")
    command = ("env", "-u", "HOME", "sh", "predict.sh")
    done = run_image(image, *command, options=(*mounts(inputs, outputs), *bare))
    assert done.returncode == 0, done.stderr
    assert outputs_of(outputs) == sorted([*outputs_of(inputs), "report.json"])
    assert {path.stat().st_uid for path in outputs.iterdir()} == {12345}


def test_a_full_disk_ends_in_one_line_per_case(image: str, run_image: Run, inputs: Path) -> None:
    small = ("--tmpfs", "/workspace/outputs:size=4k,mode=777")
    volume = ("-v", f"{inputs}:/workspace/inputs/:ro")
    done = run_image(image, "sh", "predict.sh", options=(*volume, *small))
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_that_prediction_does_not_use(image: str, run_image: Run) -> None:
    script = """
import importlib.util, pathlib, sys, sysconfig
site = pathlib.Path(sysconfig.get_path("purelib"))
unwanted = ["pip", "setuptools", "pytest", "transformers", "scipy", "triton", "sympy"]
unwanted += ["huggingface_hub", "train", "evaluate", "tests"]
print([name for name in unwanted if importlib.util.find_spec(name)])
print([p.name for p in pathlib.Path("/workspace").iterdir()])
print([str(p) for p in site.rglob("*.h")][:3], [str(p) for p in site.rglob("tests")][:3])
"""
    done = run_image(image, "python", "-c", script)
    found, workspace, rest = done.stdout.splitlines()
    assert found == "[]"
    assert sorted(json.loads(workspace.replace("'", '"'))) == [
        *("LICENSE", "inputs", "licences.md", "outputs", "predict", "predict.sh", "sbom.json"),
        "weights",
    ]
    assert rest == "[] []"
    assert run_image(image, "sh", "-c", "command -v gcc make git").returncode != 0


def test_the_bill_of_materials_names_what_is_installed(image: str, run_image: Run) -> None:
    bill = json.loads(run_image(image, "cat", "/workspace/sbom.json").stdout)
    assert bill["bomFormat"] == "CycloneDX"
    script = "from importlib.metadata import distributions as all; "
    script += "print([f'{d.name} {d.version}' for d in all()])"
    installed = json.loads(run_image(image, "python", "-c", script).stdout.replace("'", '"'))
    named = {f"{part['name']} {part['version']}" for part in bill["components"]}
    assert named == set(installed)
    listed = (ROOT / "docker" / "licences.md").read_text()
    for entry in installed:
        name, version = re.sub(r"[-_.]+", "-", entry.lower().split()[0]), entry.split()[1]
        assert f"| {name} | {version.removesuffix('+cpu')} |" in listed


def test_bytecode_is_there_and_trusted(image: str, run_image: Run) -> None:
    """Flags 1: found by hash and not checked, whatever the image store does to file times."""
    script = """
import sys
import predict.folder, predict.predictor, predict.bundle
cached = [m.__spec__.cached for m in list(sys.modules.values()) if getattr(m, "__spec__", None)]
venv = [path for path in cached if path and path.startswith(("/opt/venv", "/workspace"))]
print(len(venv), {open(path, "rb").read(8)[4] for path in venv})
"""
    count, flags = run_image(image, "python", "-c", script).stdout.split(maxsplit=1)
    assert int(count) > 300
    assert flags.strip() == "{1}"


def test_settings_of_the_image(image: str, engine: str, run_image: Run) -> None:
    done = subprocess.run(
        [engine, "image", "inspect", image], check=True, capture_output=True, text=True
    )
    (description,) = json.loads(done.stdout)
    config = description["Config"]
    assert description["Size"] < LARGEST
    assert config["User"] == "1000"
    assert config["WorkingDir"] == "/workspace"
    assert config["Labels"]["org.opencontainers.image.licenses"].startswith("Apache-2.0")
    assert run_image(image, "id", "-u").stdout.strip() == "1000"
    health = run_image(image, "python", "-m", "predict", "info", "--json")
    assert json.loads(health.stdout)["image_size"]
