"""The device, its driver, cuDNN, and whether BF16 convolutions are right on it."""

from __future__ import annotations

import math
import re
from pathlib import Path

import torch

from predict.doctor.check import Check
from predict.errors import UsageError
from predict.model.text3dsam import Text3DSAM
from predict.precision import LARGEST_ERROR, bfloat16_error
from predict.predictor import choose_device
from predict.report import device_name

DRIVER = Path("/proc/driver/nvidia/version")
LEAST_DRIVER = {13: 580, 12: 525, 11: 450}  # series by major version of CUDA, from NVIDIA's table
WRONG_CUDNN = ((9, 8), (9, 10))  # pytorch issue 163539


def check_device(name: str, driver: Path = DRIVER) -> tuple[Check, torch.device | None]:
    """What will compute.

    Args:
        name: ``auto``, ``cpu`` or ``cuda``.
        driver: File of the NVIDIA driver, there where the machine has one.

    Returns:
        The check, and the device if there is one.
    """
    built_for = torch.version.cuda
    try:
        device = choose_device(name)
    except UsageError as error:
        return Check("device", "fail", str(error), _why_no_gpu(built_for, driver)), None
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        detail = f"{device_name(device)}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free"
        return Check("device", "ok", detail), device
    if name == "auto" and (driver.exists() or built_for is not None):
        advice = f"{_why_no_gpu(built_for, driver)}; or say --device cpu"
        return Check("device", "warn", "CPU, for want of a GPU", advice), device
    return Check("device", "ok", "CPU"), device


def _why_no_gpu(built_for: str | None, driver: Path) -> str:
    if not driver.exists():
        return "start the container with --gpus all, or install the NVIDIA driver"
    if built_for is None:
        return "install the CUDA build of torch: this one is for the CPU only"
    return f"see whether nvidia-smi works and its driver is new enough for CUDA {built_for}"


def check_driver(device: torch.device, cuda: str | None, driver: Path = DRIVER) -> Check:
    """Whether the driver is of a series that this CUDA needs.

    Args:
        device: That computes.
        cuda: Version that torch was built for.
        driver: File that tells the driver's version.
    """
    found = re.search(r"Kernel Module\D.*?\s(\d{3,})\.(\d+)", _text(driver))
    if found is None:
        detail = "none, none needed" if device.type == "cpu" else "its version is not told here"
        return Check("driver", "ok", detail)
    detail, series = f"{found[1]}.{found[2]}", int(found[1])
    needed = LEAST_DRIVER.get(int(cuda.partition(".")[0]), 0) if cuda else 0
    if series < needed:
        advice = f"update the driver, or build with TORCH=torch=={_release()}+cu126"
        detail += f", CUDA {cuda} needs {needed} or later"
        return Check("driver", "fail" if device.type == "cuda" else "warn", detail, advice)
    return Check("driver", "ok", detail)


def check_cudnn(device: torch.device, version: int | None) -> Check:
    """Whether cuDNN is one that is not known for wrong convolutions.

    Args:
        device: That computes.
        version: As of ``torch.backends.cudnn.version()``; None without one.
    """
    if device.type == "cpu":
        return Check("cuDNN", "ok", "none needed")
    if version is None:
        advice = "install torch as requirements.txt pins it"
        return Check("cuDNN", "warn", "none: convolutions are slow", advice)
    major, minor, patch = version // 10000, version % 10000 // 100, version % 100
    detail = f"{major}.{minor}.{patch}"
    if WRONG_CUDNN[0] <= (major, minor) <= WRONG_CUDNN[1]:
        advice = "install torch as requirements.txt pins it"
        return Check("cuDNN", "warn", f"{detail}, known for wrong BF16 convolutions", advice)
    return Check("cuDNN", "ok", detail)


def check_bfloat16(model: Text3DSAM, device: torch.device) -> Check:
    """Whether convolutions in BF16 agree with float32; a GPU computes in BF16 only then.

    Args:
        model: On the device.
        device: Where to compute.
    """
    error = bfloat16_error(model, device)
    detail = f"BF16 conv3d is off by {error:.1e} of FP32 (at most {LARGEST_ERROR:g})"
    if math.isnan(error) or error > LARGEST_ERROR:
        if device.type == "cpu":
            return Check("precision", "ok", f"float32; {detail}: not used on a CPU")
        advice = "install torch as requirements.txt pins it"
        return Check("precision", "warn", f"{detail}: float32 is used, slower", advice)
    used = "float32" if device.type == "cpu" else "bfloat16"
    return Check("precision", "ok", f"{used}; {detail}")


def _release() -> str:
    return torch.__version__.partition("+")[0]


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
