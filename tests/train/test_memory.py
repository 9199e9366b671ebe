from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from train.memory import keep_freed_memory

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import resource, sys, numpy as np
from train.memory import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "keep" else None
np.ones(20_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(20_000_000)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _page_faults(mode: str) -> tuple[str, int]:
    command = [sys.executable, "-c", SCRIPT, mode]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    kept, faults = result.stdout.split()
    return kept, int(faults)


def test_freed_memory_is_used_again_without_new_pages() -> None:
    kept, faults = _page_faults("keep")
    if kept == "False":
        pytest.skip("the C library here is not glibc")
    assert faults < 0.1 * _page_faults("leave")[1]


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
