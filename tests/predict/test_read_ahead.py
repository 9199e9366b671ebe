from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from predict import read_ahead
from predict.bundle_files import verify_files
from predict.cases import Case
from predict.errors import BundleError, CaseError
from predict.npz import read_case
from predict.read_ahead import ReadAhead, no_collection

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def case(tmp_path: Path) -> Path:
    path = tmp_path / "case.npz"
    image = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    prompts = {"1": "liver", "instance_label": 0}
    np.savez_compressed(path, imgs=image, spacing=np.ones(3), text_prompts=np.array(prompts))
    return path


def test_what_was_read_ahead_is_what_would_be_read(tiny_bundle: Path, case: Path) -> None:
    ahead = ReadAhead(tiny_bundle, case)
    found, expected = ahead.read_case(case), read_case(case)
    np.testing.assert_array_equal(found.image, expected.image)
    assert found.prompts == expected.prompts
    assert ahead.bundle_files() == verify_files(tiny_bundle)


def test_a_case_is_read_once_and_not_kept(
    tiny_bundle: Path, case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def counted(path: Path, *, max_bytes: int | None = None) -> Case:  # noqa: ARG001
        read.append(path)
        return read_case(path)

    monkeypatch.setattr(read_ahead, "read_case", counted)
    ahead = ReadAhead(tiny_bundle, case)
    first = ahead.read_case(case)
    assert read == [case]
    assert ahead.read_case(case).image is not first.image
    assert read == [case, case]


def test_errors_are_raised_where_the_result_is_wanted(tmp_path: Path) -> None:
    ahead = ReadAhead(tmp_path / "no bundle", tmp_path / "absent.npz")
    with pytest.raises(BundleError, match="not a folder"):
        ahead.bundle_files()
    with pytest.raises(CaseError, match="received nothing"):
        ahead.read_case(tmp_path / "absent.npz")


def test_it_needs_no_torch(tiny_bundle: Path, case: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from predict.read_ahead import ReadAhead;"
        "ahead = ReadAhead(*map(Path, sys.argv[1:])); ahead.bundle_files();"
        "ahead.read_case(Path(sys.argv[2])); assert 'torch' not in sys.modules"
    )
    command = [sys.executable, "-c", code, str(tiny_bundle), str(case)]
    subprocess.run(command, cwd=ROOT, check=True)


def test_garbage_is_collected_again_after_the_imports() -> None:
    frozen = gc.get_freeze_count()
    try:
        with no_collection():
            assert not gc.isenabled()
        assert gc.isenabled()
        assert gc.get_freeze_count() > frozen
    finally:
        gc.unfreeze()
