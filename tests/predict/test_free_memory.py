from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest

from predict import free_memory as module
from predict.free_memory import USABLE_SPACE, free_memory, held_memory

PAGE = resource.getpagesize()


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)


def machine(root: Path, groups: str, files: dict[str, str]) -> Path:
    """A machine with 8 GB available and a process in some control groups."""
    files = {
        "proc/meminfo": "MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\nSwapFree: 9000000 kB\n",
        "proc/self/cgroup": groups,
        "proc/self/statm": "1000 200 50 10 0 700 0",
        **files,
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_without_limits_it_is_what_the_machine_has_and_no_swap(tmp_path: Path) -> None:
    found = free_memory(machine(tmp_path, "0::/\n", {}))
    assert found == (8_000_000 * 1024, "the machine")


def test_version_2_counts_every_group_above(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        "0::/outer/inner\n",
        {
            "sys/fs/cgroup/outer/memory.max": "3000000000\n",
            "sys/fs/cgroup/outer/memory.current": "1000000000\n",
            "sys/fs/cgroup/outer/memory.stat": "anon 5\ninactive_file 200\nactive_file 100\n",
            "sys/fs/cgroup/outer/inner/memory.max": "max\n",
            "sys/fs/cgroup/outer/inner/memory.current": "900000000\n",
        },
    )
    assert free_memory(root) == (2_000_000_250, "the control group")
    (root / "sys/fs/cgroup/outer/inner/memory.high").write_text("1000000000")
    assert free_memory(root).bytes == 100_000_000


def test_version_1_seen_from_inside_a_container(tmp_path: Path) -> None:
    """The path is the host's, the mount shows the container's group as its root."""
    group = "sys/fs/cgroup/memory"
    root = machine(
        tmp_path,
        "4:memory:/docker/abc\n1:cpu:/\n0::/\n",
        {
            f"{group}/memory.limit_in_bytes": "2000000000",
            f"{group}/memory.usage_in_bytes": "2500000000",
            f"{group}/memory.stat": "inactive_file 7\ntotal_inactive_file 600000000\n",
        },
    )
    assert free_memory(root).bytes == 100_000_000
    (root / group / "memory.limit_in_bytes").write_text("9223372036854771712")
    assert free_memory(root).limited_by == "the machine"


def test_the_process_s_own_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = machine(tmp_path, "0::/\n", {})
    limits = {resource.RLIMIT_AS: 5000 * PAGE, resource.RLIMIT_DATA: resource.RLIM_INFINITY}
    monkeypatch.setattr(module.resource, "getrlimit", lambda kind: (limits[kind],) * 2)
    assert free_memory(root).bytes == int(4000 * PAGE * USABLE_SPACE)
    limits[resource.RLIMIT_DATA] = 600 * PAGE
    assert free_memory(root) == (0, "the process's limit (ulimit)")


def test_a_machine_that_tells_nothing_gives_half_of_its_memory(tmp_path: Path) -> None:
    assert 0 < free_memory(tmp_path).bytes < 2**50
    assert held_memory(tmp_path) == 0


def test_this_process_holds_what_it_fills() -> None:
    before = held_memory()
    block = np.ones(64 * 2**20, np.uint8)
    assert held_memory() - before >= 0.9 * block.nbytes
    assert free_memory().bytes > 0
