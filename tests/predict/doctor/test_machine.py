from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from predict.doctor.machine import (
    NEEDED,
    check_imports,
    check_memory,
    check_packages,
    check_processor,
    check_shared_memory,
    processor_quota,
)


def test_the_packages_of_the_tests_are_all_there(tmp_path: Path) -> None:
    check = check_packages()
    assert check.status == "ok", check.line()
    assert "torch " in check.detail
    assert check_packages(NEEDED, tmp_path / "absent").status == "ok"


def test_a_missing_package_is_named_as_it_is_installed() -> None:
    check = check_packages({"numpy": "numpy", "no_such_module": "no-such-package"})
    assert check.status == "fail"
    assert check.detail == "missing: no-such-package"
    assert "requirements.txt" in check.advice


def test_another_version_is_a_warning(tmp_path: Path) -> None:
    pins = tmp_path / "requirements.txt"
    pins.write_text("# what is needed\nnumpy==0.1   # arrays\n")
    check = check_packages(NEEDED, pins)
    assert check.status == "warn"
    assert "instead of 0.1" in check.detail
    assert check.advice


def test_a_library_that_cannot_be_loaded_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_imports().status == "ok"
    monkeypatch.setitem(sys.modules, "predict.folder", None)
    check = check_imports()
    assert check.status == "fail"
    assert "predict.folder" in check.detail
    assert check.advice


@pytest.fixture
def _four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})


@pytest.mark.usefixtures("_four_cores")
@pytest.mark.parametrize(
    ("threads", "quota", "status"),
    [(4, None, "ok"), (8, None, "warn"), (4, 2.0, "warn"), (1, 0.5, "ok"), (2, 0.5, "warn")],
)
def test_more_threads_than_processors_are_a_warning(
    threads: int, quota: float | None, status: str
) -> None:
    check = check_processor(threads, "AVX2", quota)
    assert check.status == status
    assert f"4 cores, {threads} threads, AVX2" in check.detail
    assert bool(check.advice) == (status == "warn")


def test_quotas_of_both_control_groups(tmp_path: Path) -> None:
    assert processor_quota(tmp_path) is None
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("150000\n")
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert processor_quota(tmp_path) == 1.5
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert processor_quota(tmp_path) == 0.5
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert processor_quota(tmp_path) is None


@pytest.mark.parametrize(
    ("free", "status"), [(0, "fail"), (999_999_999, "fail"), (1.5e9, "warn"), (8e9, "ok")]
)
def test_too_little_memory(free: float, status: str) -> None:
    check = check_memory(int(free))
    assert check.status == status
    assert bool(check.advice) == (status != "ok")


def test_shared_memory_is_told_and_may_be_missing(tmp_path: Path) -> None:
    assert check_shared_memory(tmp_path).detail.endswith("MB; prediction uses none")
    missing = check_shared_memory(tmp_path / "absent")
    assert missing.status == "ok"
    assert "not there" in missing.detail
