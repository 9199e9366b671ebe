from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from fuzz.hostile_archives import bombs
from predict import archive as archive_module
from predict.archive import (
    HEADER_BYTES,
    find_member,
    open_archive,
    packed_member,
    parse_header,
    read_header,
    read_numbers,
    read_object,
)
from predict.errors import CaseError


def test_a_member_is_found_by_its_key(write_npz: Callable[..., Path]) -> None:
    with zipfile.ZipFile(write_npz()) as archive:
        assert find_member(archive, "imgs").filename == "imgs.npy"
        with pytest.raises(CaseError, match="expected the key gts, received imgs, spacing"):
            find_member(archive, "gts")


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_a_header_says_shape_dtype_and_its_length(version: tuple[int, int]) -> None:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.zeros((2, 3), ">i4"), version=version)
    length = len(file.getvalue()) - 24
    file.seek(0)
    assert parse_header("imgs", file) == ((2, 3), np.dtype(">i4"), length)


@pytest.mark.parametrize("data", [b"", b"no header", b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{"])
def test_anything_else_is_an_error(data: bytes) -> None:
    with pytest.raises(CaseError, match="imgs: expected an npy header"):
        parse_header("imgs", io.BytesIO(data))


def test_only_a_bounded_part_of_a_header_is_read() -> None:
    file = io.BytesIO(b"x" * (2 * HEADER_BYTES))
    with pytest.raises(CaseError):
        parse_header("imgs", file)
    assert file.tell() == HEADER_BYTES


def test_an_object_is_plain_values(write_npz: Callable[..., Path]) -> None:
    with zipfile.ZipFile(write_npz()) as archive:
        table = read_object(archive, find_member(archive, "text_prompts"))
        assert table == {"1": "liver", "2": "left kidney", "instance_label": 0}
        with pytest.raises(CaseError, match="spacing: expected a pickled dict"):
            read_object(archive, find_member(archive, "spacing"))


def test_numbers_come_in_native_order_once_their_header_is_good(tmp_path: Path) -> None:
    values = np.arange(6, dtype=">i2").reshape(2, 3)
    np.savez_compressed(tmp_path / "a.npz", values=values, words=np.array(["abc"]))
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        header = read_header(archive, "values", limit=12)
        assert header == ((2, 3), np.dtype(">i2"))
        read = read_numbers(archive, "values", header)
        assert read.dtype == np.dtype("=i2")
        assert np.array_equal(read, values)
        with pytest.raises(CaseError, match="needs 12 bytes, at most 11 are accepted"):
            read_header(archive, "values", limit=11)
        with pytest.raises(CaseError, match="words: expected real numbers, received <U3"):
            read_numbers(archive, "words", read_header(archive, "words", limit=100))


def test_a_member_is_stored_or_deflated(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("imgs.npy", b"x" * 100)
    with (
        zipfile.ZipFile(tmp_path / "a.npz") as archive,
        pytest.raises(CaseError, match="imgs: expected stored or deflated, received compression"),
    ):
        packed_member(archive, "imgs")


@pytest.mark.parametrize("piece_bytes", [1, 100, archive_module.PIECE_BYTES])
@pytest.mark.parametrize("order", ["C", "F"])
def test_pieces_make_up_the_whole(
    order: Literal["C", "F"], piece_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "PIECE_BYTES", piece_bytes)
    values = np.asarray(np.random.default_rng(0).random((7, 8, 9)), order=order)
    np.savez_compressed(tmp_path / "a.npz", values=values)
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        header = read_header(archive, "values", limit=values.nbytes)
        np.testing.assert_array_equal(read_numbers(archive, "values", header), values)


def test_an_object_is_unpacked_to_its_declared_size_only(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(bombs(2**20)["prompts that go on"])
    with open_archive(path) as archive:
        assert isinstance(read_object(archive, find_member(archive, "text_prompts")), dict)
        assert len(archive.read("text_prompts.npy")) < 1000


def test_the_table_of_members_is_bounded_while_it_is_read(write_npz: Callable[..., Path]) -> None:
    with open_archive(write_npz(), max_directory=1000) as archive:
        assert len(archive.read("imgs.npy")) > 100
    with (
        pytest.raises(CaseError, match="table of members of at most 100 bytes, received"),
        open_archive(write_npz(), max_directory=100),
    ):
        pass
