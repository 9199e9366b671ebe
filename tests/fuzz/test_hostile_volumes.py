from __future__ import annotations

import contextlib
import tracemalloc
from pathlib import Path

import pytest

from fuzz.hostile_volumes import swelling_volumes
from predict.errors import CaseError
from predict.formats import dicom_files, read_volume

UNPACKED = 48 * 2**20
VOLUMES = swelling_volumes(UNPACKED)


@pytest.mark.parametrize("name", VOLUMES)
def test_a_file_that_swells_takes_no_memory(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dicom_files, "MAX_DEFLATED", 2**20)
    path = tmp_path / name
    path.write_bytes(VOLUMES[name])
    tracemalloc.start()
    with contextlib.suppress(CaseError):
        assert read_volume(path).array.size in (24, 64)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 * 2**20
