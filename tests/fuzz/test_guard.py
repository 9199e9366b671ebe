from __future__ import annotations

import ast
import contextlib
import os
import pickle
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzz.guard import Breach, Guard, runs
from fuzz.hostile_pickles import MARK, hostile_pickles

DEEDS: dict[str, Callable[[], object]] = {
    "os.system": lambda: os.system("true"),
    "subprocess": lambda: subprocess.run(["true"], check=False),
    "fork": lambda: os.fork() or os._exit(0),
    "socket": lambda: socket.socket(),
    "eval": lambda: eval("1"),
    "exec": lambda: exec("1"),
    "a file to write": lambda: MARK.open("w"),
    "a file to create": lambda: os.open(MARK, os.O_CREAT),
    "a file of the system": lambda: Path("/etc/passwd").read_text(),
    "removal": lambda: MARK.unlink(),
    "import": lambda: __import__("antigravity"),
    "environment": lambda: os.putenv("X", "1"),
    "the real unpickler": lambda: pickle.loads(hostile_pickles()["os.system"]),
}


@pytest.mark.parametrize("name", DEEDS)
def test_deeds_are_stopped(guard: Guard, name: str) -> None:
    with pytest.raises(Breach):
        runs(guard, DEEDS[name])
    assert not MARK.exists()


def test_a_breach_that_is_swallowed_still_counts(guard: Guard) -> None:
    def swallow() -> None:
        with contextlib.suppress(BaseException):
            os.system("true")

    with pytest.raises(Breach, match=r"os\.system"):
        runs(guard, swallow)


def test_reading_and_files_below_the_scratch_folder_are_no_breach(
    guard: Guard, tmp_path: Path
) -> None:
    def read() -> str:
        (tmp_path / "a").write_text("x")
        (tmp_path / "a").unlink()
        return str(ast.literal_eval("{'shape': (1, 2)}"))

    assert runs(guard, read, tmp_path) == "{'shape': (1, 2)}"
    with pytest.raises(Breach, match="open"):
        runs(guard, read)


def test_nothing_is_stopped_once_it_is_no_longer_armed(guard: Guard) -> None:
    with guard.armed():
        pass
    assert os.system("true") == 0
