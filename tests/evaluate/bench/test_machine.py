from __future__ import annotations

import platform
import re
import socket
import subprocess
from pathlib import Path

import pytest

from evaluate.bench.machine import commit, cpu_model, describe_machine

FLOOR = {"device": "cpu", "threads": 4, "versions": {"torch": "2.13.0", "numpy": "2.4.6"}}


def test_the_processor_by_its_name(tmp_path: Path) -> None:
    listed = tmp_path / "cpuinfo"
    listed.write_text("processor\t: 0\nmodel name\t: Some CPU: fast\n\nprocessor\t: 1\n")
    assert cpu_model(listed) == "Some CPU: fast"


def test_the_processor_where_nothing_is_told(tmp_path: Path) -> None:
    assert cpu_model(tmp_path / "nothing") in (platform.processor(), platform.machine())


def test_what_is_told_and_what_is_not() -> None:
    machine = describe_machine(FLOOR, 0.126)
    assert machine["threads"] == 4
    assert machine["torch"] == "2.13.0"
    assert machine["load"] == 0.13
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", machine["date"])
    assert socket.gethostname() not in map(str, machine.values())


def test_commit_or_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("evaluate.bench.machine.ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit() is None
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "file").write_text("one")
    for words in (["init", "-q"], ["add", "file"], [*who, "commit", "-qm", "one"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    clean = commit()
    assert clean is not None
    assert re.fullmatch(r"[0-9a-f]{10}", clean)
    (tmp_path / "file").write_text("two")
    assert commit() == f"{clean}+changes"
