from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from predict.doctor.bundle import check_bundle


def test_a_good_bundle_is_loaded(tiny_bundle: Path) -> None:
    check, bundle = check_bundle(tiny_bundle)
    assert check.status == "ok"
    assert bundle is not None
    assert bundle.sha256[:12] in check.detail


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_changed_byte_fails(tiny_bundle: Path, tmp_path: Path, file: str) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, folder)
    content = bytearray((folder / file).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / file).write_bytes(content)
    check, bundle = check_bundle(folder)
    assert (check.status, bundle) == ("fail", None)
    assert file in check.detail
    assert "SHA-256" in check.detail
    assert check.advice


def test_no_bundle_fails(tmp_path: Path) -> None:
    check, _ = check_bundle(tmp_path / "absent")
    assert check.status == "fail"
    assert check.advice
