from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from predict.attempts import FOLDER
from predict.cli import main
from predict.exit_status import GOOD, WRONG_CALL

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300.0
WriteNpz = Callable[..., Path]


def _begun(outputs: Path) -> list[tuple[Path, int]]:
    """Output and process of every case that somebody works on."""
    found = []
    for note in (outputs / FOLDER).glob("*.npz"):
        with suppress(FileNotFoundError):  # finished in the meantime
            lines = note.read_text().splitlines()
            if len(lines) == 1:
                found.append((outputs / note.name, int(lines[0].split()[1])))
    return found


def _kill_a_worker(outputs: Path, job: subprocess.Popen[str]) -> bool:
    """Kill one with SIGKILL in the middle of a case, of which its note is there but no output.

    Returns:
        False if the job has ended before.
    """
    deadline = time.monotonic() + PATIENCE
    while job.poll() is None and time.monotonic() < deadline:
        for output, worker in _begun(outputs):
            os.kill(worker, signal.SIGSTOP)
            if (output, worker) in _begun(outputs) and not output.exists():
                os.kill(worker, signal.SIGKILL)
                return True
            os.kill(worker, signal.SIGCONT)
        time.sleep(0.005)
    return False


def _run_with_a_kill(inputs: Path, out: Path, bundle: Path) -> None:
    command = [sys.executable, "-m", "predict", "ray-run", str(inputs), str(out), "--workers", "2"]
    job = subprocess.Popen(
        [*command, "--bundle", str(bundle), "--device", "cpu", "--cpus", "1"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        killed = _kill_a_worker(out, job)
        printed, errors = job.communicate(timeout=PATIENCE)
    finally:
        job.terminate()
    if "timed out during startup" in errors:
        pytest.skip("Ray did not start within the 30 s that it gives itself: the machine is busy")
    assert job.returncode == GOOD, errors
    assert killed
    assert "report.json" in printed


def test_a_killed_worker_loses_nothing(
    write_npz: WriteNpz, tiny_bundle: Path, tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="needs predict/requirements-ray.txt")
    chance = np.random.default_rng(0)
    for i in range(10):
        image = chance.integers(0, 255, (60, 80 + i, 90), np.uint8)
        inputs = write_npz(f"{i}.npz", imgs=image).parent
    out, plain = tmp_path / "out", tmp_path / "plain"
    _run_with_a_kill(inputs, out, tiny_bundle)
    report = json.loads((out / "report.json").read_text())
    assert [case["case"] for case in report["cases"]] == [f"{i}.npz" for i in range(10)]
    assert {case["status"] for case in report["cases"]} == {"ok"}
    assert [w for case in report["cases"] for w in case["warnings"]] == [
        "its worker was lost: attempt 2"
    ]
    assert report["unfinished"] == 0
    assert main(["run", str(inputs), str(plain), "--bundle", str(tiny_bundle)]) == GOOD
    assert {p.name: p.read_bytes() for p in out.glob("*.npz")} == {
        p.name: p.read_bytes() for p in plain.glob("*.npz")
    }
    assert not (out / FOLDER).exists()


def test_without_ray_it_is_a_wrong_call(
    write_npz: WriteNpz,
    tiny_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    folders = [str(write_npz().parent), str(tmp_path / "out")]
    command = ["ray-run", *folders, "--workers", "2", "--bundle", str(tiny_bundle)]
    assert main(command) == WRONG_CALL
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("pip install -r predict/requirements-ray.txt")
