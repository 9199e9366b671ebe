from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from predict import run_lengths
from predict.run_lengths import write_npz

ARRAYS = {
    "mask": np.repeat(np.arange(24, dtype=np.uint8), 1000).reshape(4, 60, 100),
    "noise": np.random.default_rng(0).integers(0, 256, (5, 6, 7), np.uint8),
    "wide": np.arange(-60, 60, dtype=np.int32).reshape(4, 5, 6),
    "columns first": np.asfortranarray(np.arange(24, dtype=np.uint8).reshape(2, 3, 4)),
    "reversed": np.arange(24, dtype=np.int32).reshape(2, 3, 4)[::-1, :, ::2],
    "empty": np.zeros((0, 3, 4), np.uint8),
    "one": np.array([[[7]]], np.uint8),
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("piece_bytes", [1, 100, run_lengths.PIECE_BYTES])
def test_numpy_reads_what_was_written(
    name: str, piece_bytes: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(run_lengths, "PIECE_BYTES", piece_bytes)
    path = tmp_path / "a.npz"
    with path.open("xb") as file:
        write_npz(file, "segs", ARRAYS[name])
    with np.load(path) as arrays:
        assert arrays.files == ["segs"]
        assert arrays["segs"].dtype == ARRAYS[name].dtype
        np.testing.assert_array_equal(arrays["segs"], ARRAYS[name])


def test_the_archive_is_sound_and_small() -> None:
    z, y, x = np.ogrid[:60, :120, :120]
    mask = np.where((z - 30) ** 2 + (y - 50) ** 2 + (x - 70) ** 2 < 28**2, 3, 0).astype(np.uint8)
    ours, numpys = io.BytesIO(), io.BytesIO()
    write_npz(ours, "segs", mask)
    np.savez_compressed(numpys, segs=mask)
    with zipfile.ZipFile(ours) as archive, zipfile.ZipFile(numpys) as expected:
        (info,), (other,) = archive.infolist(), expected.infolist()
        assert archive.testzip() is None
        assert (info.filename, info.compress_type) == (other.filename, zipfile.ZIP_DEFLATED)
        assert (info.CRC, info.file_size) == (other.CRC, other.file_size)
    assert len(ours.getvalue()) < 2 * len(numpys.getvalue())


def test_readers_that_go_by_the_local_header_find_the_same() -> None:
    written = io.BytesIO()
    write_npz(written, "segs", ARRAYS["mask"])
    info = zipfile.ZipFile(written).infolist()[0]
    local = written.getvalue()[: len(info.FileHeader(zip64=True))]
    assert local == info.FileHeader(zip64=True)
