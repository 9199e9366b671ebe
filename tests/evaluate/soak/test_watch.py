from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evaluate.soak.watch import count_outputs, leftovers, look, watch

SCRIPT = """
import sys, threading, time
kept = [open("/dev/null") for _ in range(10)]
memory = bytearray(b"1" * 50 * 2**20)
end = threading.Event()
threads = [threading.Thread(target=end.wait) for _ in range(3)]
[thread.start() for thread in threads]
print("ready", flush=True)
sys.stdin.read()
end.set()
"""


def test_a_process_is_seen_with_what_it_holds(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        process.stdout.readline()
        cpu, resident, files, threads = look(process.pid)
        (tmp_path / "a.npz").touch()
        first = next(watch(process, tmp_path))
    process.wait()
    assert cpu > 0
    assert resident > 50
    assert (files, threads) == (13, 4)
    assert (first.done, first.files, first.threads) == (1, 13, 4)
    with pytest.raises(OSError, match="No such"):
        look(process.pid)
    assert list(watch(process, tmp_path)) == []


def test_outputs_are_counted_without_temporary_files(tmp_path: Path) -> None:
    assert count_outputs(tmp_path / "none") == 0
    for name in ("a.npz", "b.npz", ".c.npz", ".0.partial", "report.json"):
        (tmp_path / name).touch()
    assert count_outputs(tmp_path) == 2
    assert leftovers([tmp_path]) == [".0.partial", ".c.npz"]
