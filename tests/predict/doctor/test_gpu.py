from __future__ import annotations

from pathlib import Path

import pytest
import torch

from predict.doctor import gpu
from predict.doctor.gpu import check_bfloat16, check_cudnn, check_device, check_driver
from predict.model.text3dsam import Text3DSAM

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
CLOSED = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n"
OPEN = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs)\n"
    "GCC version:  gcc version 12.3.0\n"
)


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    path = tmp_path / "version"
    path.write_text(OPEN)
    return path


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)


def test_a_machine_without_a_gpu(tmp_path: Path) -> None:
    check, device = check_device("auto", tmp_path / "absent")
    assert (check.status, check.detail, device) == ("ok", "CPU", CPU)


def test_a_gpu_that_is_not_seen_is_a_warning(
    driver: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, device = check_device("auto", driver)
    assert (check.status, device) == ("warn", CPU)
    assert "CUDA build of torch" in check.advice
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert "new enough for CUDA 13.0" in check_device("auto", driver)[0].advice
    assert "--gpus all" in check_device("auto", tmp_path / "absent")[0].advice
    assert check_device("cpu", driver)[0].status == "ok"


@pytest.mark.parametrize("name", ["cuda", "tpu"])
def test_a_device_that_is_not_there_fails(name: str, driver: Path) -> None:
    check, device = check_device(name, driver)
    assert (check.status, device) == ("fail", None)
    assert check.advice


def test_a_gpu_is_named_with_its_memory(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (int(6e9), int(8e9)))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "A Card")
    check, device = check_device("auto", driver)
    assert (check.status, check.detail) == ("ok", "A Card, 6.0 of 8.0 GB free")
    assert device == CUDA


@pytest.mark.parametrize(
    ("text", "device", "cuda", "status", "detail"),
    [
        (OPEN, CUDA, "13.0", "ok", "580.65"),
        (CLOSED, CUDA, "13.0", "fail", "550.54, CUDA 13.0 needs 580 or later"),
        (CLOSED, CPU, "13.0", "warn", "550.54, CUDA 13.0 needs 580 or later"),
        (CLOSED, CUDA, "12.6", "ok", "550.54"),
        (CLOSED, CPU, None, "ok", "550.54"),
        ("", CUDA, "13.0", "ok", "its version is not told here"),
        ("", CPU, None, "ok", "none, none needed"),
    ],
)
def test_the_series_of_the_driver(
    driver: Path, text: str, device: torch.device, cuda: str | None, status: str, detail: str
) -> None:
    driver.write_text(text)
    check = check_driver(device, cuda, driver)
    assert (check.status, check.detail) == (status, detail)
    assert bool(check.advice) == (status != "ok")


@pytest.mark.parametrize(
    ("version", "status"),
    [(90700, "ok"), (90800, "warn"), (91002, "warn"), (91100, "ok"), (92000, "ok"), (None, "warn")],
)
def test_versions_of_cudnn_with_wrong_convolutions(version: int | None, status: str) -> None:
    check = check_cudnn(CUDA, version)
    assert check.status == status
    assert bool(check.advice) == (status == "warn")
    assert check_cudnn(CPU, version).status == "ok"


def test_cudnn_is_told_as_people_write_it() -> None:
    assert check_cudnn(CUDA, 92003).detail == "9.20.3"


def test_bfloat16_on_this_cpu(tiny_model: Text3DSAM) -> None:
    check = check_bfloat16(tiny_model, CPU)
    assert check.status == "ok"
    assert check.detail.startswith("float32; BF16 conv3d is off by ")


@pytest.mark.parametrize(
    ("error", "device", "status", "words"),
    [
        (0.004, CUDA, "ok", "bfloat16; "),
        (0.8, CUDA, "warn", ": float32 is used, slower"),
        (float("nan"), CUDA, "warn", ": float32 is used, slower"),
        (0.8, CPU, "ok", ": not used on a CPU"),
    ],
)
def test_wrong_bfloat16(
    tiny_model: Text3DSAM,
    monkeypatch: pytest.MonkeyPatch,
    error: float,
    device: torch.device,
    status: str,
    words: str,
) -> None:
    monkeypatch.setattr(gpu, "bfloat16_error", lambda *_: error)
    check = check_bfloat16(tiny_model, device)
    assert check.status == status
    assert words in check.detail
    assert bool(check.advice) == (status == "warn")
