from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fuzz.hostile_volumes import swelling_volumes
from predict.errors import CaseError, UsageError
from predict.formats import dicom_files, read_volume
from predict.formats.dicom_files import open_files, read_header


def pack(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_no_member_leaves_the_folder_and_nothing_is_left(tmp_path: Path) -> None:
    members = {"../../escaped.dcm": b"1", "/absolute.dcm": b"2", "C:\\x\\..\\y.dcm": b"3"}
    path = pack(tmp_path / "a.zip", **members)
    with open_files(path) as files:
        folder = files[0].parent
        assert all(file.parent == folder for file in files)
        assert sorted(file.read_bytes() for file in files) == [b"1", b"2", b"3"]
    assert not folder.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_a_zip_that_no_memory_holds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pack(tmp_path / "a.zip", **{"a.dcm": bytes(5000), "b.dcm": bytes(5000)})
    monkeypatch.setattr("predict.formats.dicom_files.default_limit", lambda: 9999)
    with pytest.raises(CaseError, match="of 9999 bytes together, received 2 of 10000"):
        read_volume(path)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predict.formats.dicom_files.MAX_FILES", 2)
    for name in "abc":
        (tmp_path / name).touch()
    with pytest.raises(CaseError, match="at most 2 files, received more"):
        read_volume(tmp_path)


def test_a_damaged_zip_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(CaseError, match=r"^a\.zip: not a readable zip"):
        read_volume(tmp_path / "a.zip")


def test_a_folder_without_dicom_is_a_wrong_call(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(UsageError, match="expected DICOM images, found 1 other files"):
        read_volume(tmp_path)


def test_hidden_files_and_dicomdir_are_not_looked_at(tmp_path: Path) -> None:
    for name in (".hidden", "DICOMDIR", "b", "sub/a"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with open_files(tmp_path) as files:
        assert [file.relative_to(tmp_path).as_posix() for file in files] == ["b", "sub/a"]


def test_what_has_no_pixels_is_no_image(tmp_path: Path, write_series: Callable[..., Path]) -> None:
    image = np.zeros((1, 2, 3), np.int16)
    folder = write_series(tmp_path / "s", image, np.eye(3), Modality="SEG")
    assert read_header(next(folder.iterdir())) is None
    (tmp_path / "x.dcm").write_bytes(b"\x00" * 300)
    assert read_header(tmp_path / "x.dcm") is None


def test_a_pipe_in_a_folder_is_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "b.dcm")
    (tmp_path / "a.dcm").touch()
    with open_files(tmp_path) as files:
        assert files == [tmp_path / "a.dcm"]


@pytest.mark.parametrize("name", ["a.dcm", "a"])
def test_deflated_data_are_read_up_to_a_bound(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    path.write_bytes(swelling_volumes(2**20)["deflated.dcm"])
    header = read_header(path)
    assert header is not None
    assert header.Rows == 8
    monkeypatch.setattr(dicom_files, "MAX_DEFLATED", 2**20)
    with pytest.raises(CaseError, match="deflated data of at most 1048576 bytes"):
        read_header(path)
