from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from evaluate.limits import control_group as module
from evaluate.limits.control_group import control_group
from predict.errors import UsageError


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What was written into the groups, which a real one would forget when it is removed."""
    texts: dict[str, str] = {}
    remove = Path.rmdir

    def keep(folder: Path) -> None:
        for file in folder.iterdir():
            texts[f"{folder.parent.name}/{file.name}"] = file.read_text().strip()
            file.unlink()
        remove(folder)

    monkeypatch.setattr(module.Path, "rmdir", keep)
    return texts


def test_version_1(tmp_path: Path, written: dict[str, str]) -> None:
    for controller in ("cpu", "memory"):
        (tmp_path / controller).mkdir()
    with control_group(cpus=0.25, memory=10**9, root=tmp_path) as within:
        shown = subprocess.check_output([*within, "sh", "-c", "echo $$ $0 $1", "a b", "c"])
    process, *words = shown.decode().split()
    assert words == ["a", "b", "c"]
    assert written == {
        "cpu/cpu.cfs_period_us": "100000",
        "cpu/cpu.cfs_quota_us": "25000",
        "cpu/cgroup.procs": process,
        "memory/memory.limit_in_bytes": "1000000000",
        "memory/cgroup.procs": process,
    }


def test_version_2(tmp_path: Path, written: dict[str, str]) -> None:
    (tmp_path / "cgroup.controllers").touch()
    with control_group(cpus=2, memory=5, root=tmp_path):
        pass
    values = {name.rpartition("/")[2]: text for name, text in written.items()}
    assert values == {"cpu.max": "200000 100000", "memory.max": "5"}


def test_where_none_can_be_made_one_line_says_so(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="no control group can be made here"),
        control_group(cpus=1, root=tmp_path / "absent"),
    ):
        pass
