"""The process as a whole: what it prints and how it ends, without being taken down in order."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from predict.exit_status import GOOD, WRONG_CALL

ROOT = Path(__file__).resolve().parents[2]


def predict(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "predict", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


def test_everything_printed_arrives_and_the_status_is_kept(tiny_bundle: Path) -> None:
    good = predict("info", str(tiny_bundle), "--json")
    assert good.returncode == GOOD
    assert json.loads(good.stdout)["image_size"] == [32, 64, 32]
    wrong = predict("info", str(tiny_bundle / "absent"))
    assert wrong.returncode == WRONG_CALL
    assert wrong.stderr.startswith("error: no bundle")
