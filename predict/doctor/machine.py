"""Packages, processor and memory."""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from predict.doctor.check import Check

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements.txt"
NEEDED = {
    "torch": "torch",
    "numpy": "numpy",
    "safetensors": "safetensors",
    "tokenizers": "tokenizers",
    "cc3d": "connected-components-3d",
    "edt": "edt",
    "PIL": "pillow",
    "tqdm": "tqdm",
    "nibabel": "nibabel",
    "pydicom": "pydicom",
    "gdcm": "python-gdcm",
}
ENOUGH_MEMORY, LEAST_MEMORY = 2e9, 1e9  # the official network takes 0.9 GB at 200x512x512


def check_packages(needed: Mapping[str, str] = NEEDED, pins: Path = REQUIREMENTS) -> Check:
    """Whether everything is installed, in the versions that were tested where those are known.

    Args:
        needed: Name to import -> name to install.
        pins: File of ``name==version`` lines; an image has none.
    """
    install = f"pip install -r {pins.name}, or take a released image"
    missing = [name for module, name in needed.items() if importlib.util.find_spec(module) is None]
    if missing:
        return Check("packages", "fail", f"missing: {', '.join(missing)}", install)
    installed = {name: metadata.version(name) for name in ("torch", "numpy")}
    words = [f"Python {platform.python_version()}", *(f"{k} {v}" for k, v in installed.items())]
    other = [
        f"{name} {found} instead of {version}"
        for name, version in _pinned(pins)
        if (found := metadata.version(name).partition("+")[0]) != version
    ]
    if other:
        detail = f"{', '.join(words)}; untested: {', '.join(other)}"
        return Check("packages", "warn", detail, install)
    return Check("packages", "ok", ", ".join(words))


def check_imports() -> Check:
    """Whether what ``run`` imports can be loaded, shared libraries and all."""
    try:
        import predict.folder
        import predict.predictor  # noqa: F401
    except (ImportError, OSError) as error:
        first = str(error).splitlines()[0]
        return Check("imports", "fail", first, "install the packages of requirements.txt again")
    return Check("imports", "ok", "everything that prediction uses can be loaded")


def _pinned(pins: Path) -> list[tuple[str, str]]:
    lines = pins.read_text(encoding="utf-8").splitlines() if pins.is_file() else []
    parts = (line.split("#")[0].split()[0].partition("==") for line in lines if "==" in line)
    return [(name, version) for name, _, version in parts]


def check_processor(threads: int, capability: str, quota: float | None) -> Check:
    """Whether there is a processor for every thread.

    Args:
        threads: That PyTorch computes with.
        capability: Vector instructions that it uses.
        quota: Processors that the control group allows; None without a limit.
    """
    cores = len(os.sched_getaffinity(0))
    detail = f"{cores} cores, {threads} threads, {capability}"
    allowed = cores if quota is None else min(cores, quota)
    if quota is not None:
        detail += f", limited to {quota:g} cores"
    if threads > max(1.0, allowed) + 0.5:
        few = max(1, int(allowed))
        return Check("processor", "warn", detail, f"set OMP_NUM_THREADS={few}: more is slower")
    return Check("processor", "ok", detail)


def processor_quota(groups: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Processors that the control group (v2 or v1) allows; None without a limit."""
    try:
        quota, period = (groups / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (groups / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (groups / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    return float(quota) / float(period) if quota.isdecimal() else None


def check_memory(available: int) -> Check:
    """Whether the largest usual case fits.

    Args:
        available: Bytes that can still be had.
    """
    detail = f"{available / 1e9:.1f} GB free"
    if available < LEAST_MEMORY:
        advice = "end other programs or give the container more (--memory 8g)"
        return Check("memory", "fail", f"{detail}, expected at least 1 GB", advice)
    if available < ENOUGH_MEMORY:
        advice = "give it 2 GB or more: volumes of 200x512x512 may not fit"
        return Check("memory", "warn", detail, advice)
    return Check("memory", "ok", detail)


def check_shared_memory(folder: Path = Path("/dev/shm")) -> Check:
    """How much there is; prediction needs none of it."""
    try:
        space = os.statvfs(folder)
    except OSError as error:
        return Check("/dev/shm", "ok", f"not there ({error.strerror}); prediction uses none")
    size = space.f_blocks * space.f_frsize / 2**20
    return Check("/dev/shm", "ok", f"{size:.0f} MB; prediction uses none")
