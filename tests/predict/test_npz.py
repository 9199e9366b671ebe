from __future__ import annotations

import io
import os
import pickle
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from predict.errors import CaseError, UsageError
from predict.npz import (
    is_finished,
    list_cases,
    read_case,
    reading_bytes,
    write_labels,
    write_stand_in,
)

WriteNpz = Callable[..., Path]
SHAPE = (6, 7, 8)


def test_reads_a_case(write_npz: WriteNpz) -> None:
    case = read_case(write_npz("with spaces.npz"))
    assert case.name == "with spaces"
    assert case.image.shape == SHAPE
    assert case.spacing == (0.5, 0.6, 2.0)
    assert [p.text for p in case.prompts] == ["liver", "left kidney"]
    assert case.warnings == case.rejected == ()


def test_ground_truth_and_unknown_keys_are_never_read(write_npz: WriteNpz) -> None:
    path = write_npz(gts=np.array({"x": 1}, dtype=object), other=np.zeros(3))
    assert read_case(path).image.shape == SHAPE


@pytest.mark.parametrize("dtype", [">u2", ">f8", "int64", "bool"])
def test_reads_any_real_dtype_and_order(write_npz: WriteNpz, dtype: str) -> None:
    image = np.asfortranarray((np.arange(24).reshape(2, 3, 4) % 7).astype(dtype))
    result = read_case(write_npz(imgs=image)).image
    assert result.dtype.isnative
    expected = image.astype(float) * (255 if dtype == "bool" else 1)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("spacing", [None, np.zeros(3), np.array([-1.0, 1, 1]), np.array("x")])
def test_odd_spacing_is_a_warning(write_npz: WriteNpz, spacing: object) -> None:
    case = read_case(write_npz(spacing=spacing))
    assert case.spacing == (1.0, 1.0, 1.0)
    assert "spacing" in case.warnings[0]


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 and then nothing"])
def test_an_unreadable_zip_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(CaseError, match=r"^broken\.npz: not a readable npz") as caught:
        read_case(path)
    assert caught.value.shape is None
    assert "\n" not in str(caught.value)


def test_a_missing_file_or_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="expected a file"):
        read_case(tmp_path)


def test_a_symbolic_link_is_refused(write_npz: WriteNpz, tmp_path: Path) -> None:
    (tmp_path / "link.npz").symlink_to(write_npz())
    with pytest.raises(CaseError, match="expected a file, received a symbolic link"):
        read_case(tmp_path / "link.npz")


def test_a_damaged_member_is_an_error_that_knows_the_shape(tmp_path: Path) -> None:
    path = tmp_path / "damaged.npz"
    image = np.random.default_rng(0).integers(0, 255, (20, 30, 40), np.uint8)
    np.savez(path, imgs=image)
    data = bytearray(path.read_bytes())
    start = data.index(image.tobytes()[:32])
    data[start + 9000 : start + 9020] = bytes(20)
    path.write_bytes(data)
    with pytest.raises(CaseError, match="CRC") as caught:
        read_case(path)
    assert caught.value.shape == (20, 30, 40)


def test_a_truncated_file_is_an_error(write_npz: WriteNpz) -> None:
    path = write_npz()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CaseError, match="not a readable npz"):
        read_case(path)


def _npz_with_member(path: Path, name: str, member: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, member)
    return path


def _npy_header(shape: tuple[int, ...], descr: str = "|u1") -> bytes:
    buffer = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue()


def test_a_truncated_member_is_an_error_that_knows_the_shape(tmp_path: Path) -> None:
    member = _npy_header(SHAPE) + bytes(10)
    path = _npz_with_member(tmp_path / "short.npz", "imgs.npy", member)
    with pytest.raises(CaseError, match="needs 336 bytes, the file holds 10") as caught:
        read_case(path)
    assert caught.value.shape == SHAPE


def test_a_declared_size_far_beyond_memory_is_refused_before_allocating(tmp_path: Path) -> None:
    member = _npy_header((100_000, 100_000, 100_000))
    path = _npz_with_member(tmp_path / "huge.npz", "imgs.npy", member)
    with pytest.raises(CaseError, match="are accepted") as caught:
        read_case(path)
    assert caught.value.shape is None


def test_a_zip_bomb_is_refused_by_its_size(tmp_path: Path) -> None:
    member = _npy_header((400, 400, 400)) + bytes(400**3)
    path = _npz_with_member(tmp_path / "bomb.npz", "imgs.npy", member)
    assert path.stat().st_size < 10**6
    with pytest.raises(CaseError, match="at most 1000000 are accepted"):
        read_case(path, max_bytes=10**6)


@pytest.mark.parametrize("shape", [(-1, 2, 3), (2, "x", 3)])
def test_an_impossible_header_is_an_error(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = _npz_with_member(tmp_path / "odd.npz", "imgs.npy", _npy_header(shape) + bytes(6))
    with pytest.raises(CaseError, match=r"^odd\.npz"):
        read_case(path)


@pytest.mark.parametrize("key", ["imgs", "text_prompts"])
def test_a_missing_key_is_an_error(write_npz: WriteNpz, key: str) -> None:
    with pytest.raises(CaseError, match=f"expected the key {key}, received") as caught:
        read_case(write_npz(**{key: None}))
    assert caught.value.shape == (None if key == "imgs" else SHAPE)


@pytest.mark.parametrize("shape", [(7, 8), (1, 6, 7, 8), (0, 7, 8)])
def test_wrong_axes_are_an_error_that_knows_the_shape(
    write_npz: WriteNpz, shape: tuple[int, ...]
) -> None:
    with pytest.raises(CaseError, match="expected three axes") as caught:
        read_case(write_npz(imgs=np.zeros(shape, np.uint8)))
    assert caught.value.shape == shape


def test_object_images_are_refused(write_npz: WriteNpz) -> None:
    with pytest.raises(CaseError, match="received pickled objects"):
        read_case(write_npz(imgs=np.array([[[{}]]], dtype=object)))


def test_complex_images_are_refused(write_npz: WriteNpz) -> None:
    with pytest.raises(CaseError, match="expected real numbers"):
        read_case(write_npz(imgs=np.zeros(SHAPE, np.complex64)))


def test_prompts_that_are_no_dict_are_an_error(write_npz: WriteNpz) -> None:
    with pytest.raises(CaseError, match="expected a pickled dict") as caught:
        read_case(write_npz(text_prompts=np.array("liver")))
    assert caught.value.shape == SHAPE


def test_bad_prompts_are_rejected_alone(write_npz: WriteNpz) -> None:
    case = read_case(write_npz(text_prompts={"1": "liver", "300": "spleen", "instance_label": 0}))
    assert [p.class_id for p in case.prompts] == [1]
    assert len(case.rejected) == 1


class _Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def test_a_malicious_pickle_is_refused_and_not_run(write_npz: WriteNpz, tmp_path: Path) -> None:
    sentinel = tmp_path / "sentinel"
    path = write_npz(text_prompts=np.array(_Touch(sentinel), dtype=object))
    assert b"system" in zipfile.ZipFile(path).read("text_prompts.npy")
    with pytest.raises(CaseError, match="system is refused") as caught:
        read_case(path)
    assert caught.value.shape == SHAPE
    assert not sentinel.exists()


def test_reads_pickles_of_numpy_1_and_2(tmp_path: Path, write_npz: WriteNpz) -> None:
    with zipfile.ZipFile(write_npz()) as source:
        members = {name: source.read(name) for name in source.namelist()}
    for package in (b"numpy.core", b"numpy._core"):
        prompts = pickle.dumps(np.array({"4": "aorta"}, dtype=object), protocol=3)
        prompts = prompts.replace(b"numpy._core", b"numpy.core").replace(b"numpy.core", package)
        header = _npy_header((), "|O")
        path = tmp_path / "case.npz"
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in {**members, "text_prompts.npy": header + prompts}.items():
                archive.writestr(name, data)
        assert read_case(path).prompts[0].text == "aorta"


def test_reads_the_kits_cases(kit: Path) -> None:
    names = sorted(kit.glob("predict/*_in.npz"))
    assert len(names) == 4
    assert all(read_case(path).prompts for path in names)


def test_lists_npz_files_by_name(tmp_path: Path) -> None:
    for name in ("b.npz", "a b.npz", ".hidden.npz", "c.txt"):
        (tmp_path / name).touch()
    assert [p.name for p in list_cases(tmp_path)] == ["a b.npz", "b.npz"]


def test_a_folder_without_cases_is_a_wrong_call(tmp_path: Path) -> None:
    (tmp_path / "scan.nii").touch()
    with pytest.raises(UsageError, match="found 1 other files"):
        list_cases(tmp_path)
    with pytest.raises(UsageError, match="not a folder"):
        list_cases(tmp_path / "absent")


def test_writes_labels_that_numpy_reads(tmp_path: Path) -> None:
    labels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    write_labels(tmp_path / "out.npz", labels)
    with np.load(tmp_path / "out.npz") as arrays:
        assert list(arrays) == ["segs"]
        np.testing.assert_array_equal(arrays["segs"], labels)
        assert arrays["segs"].dtype == np.uint8
    assert [p.name for p in tmp_path.iterdir()] == ["out.npz"]


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.npz"
    write_labels(path, np.zeros((1, 1, 1), np.uint8))
    before = path.read_bytes()

    def refuse(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        write_labels(path, np.ones((1, 1, 1), np.uint8))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["out.npz"]


@pytest.mark.parametrize(
    ("dtype", "per_voxel"), [("uint8", 1), ("bool", 6), ("int16", 8), ("float32", 12), (">f8", 20)]
)
def test_memory_for_reading_is_told_by_the_header(
    write_npz: WriteNpz, dtype: str, per_voxel: int
) -> None:
    assert reading_bytes(write_npz(imgs=np.zeros(SHAPE, dtype))) == 6 * 7 * 8 * per_voxel


def test_what_cannot_be_read_needs_no_memory(tmp_path: Path, write_npz: WriteNpz) -> None:
    (tmp_path / "noise.npz").write_bytes(b"noise")
    member = _npy_header((100_000, 100_000, 100_000))
    huge = _npz_with_member(tmp_path / "huge.npz", "imgs.npy", member)
    for path in (tmp_path / "noise.npz", tmp_path / "absent.npz", huge, write_npz(imgs=None)):
        assert reading_bytes(path) == 0


def test_a_stand_in_is_background_and_not_a_finished_answer(tmp_path: Path) -> None:
    answer, stand_in = tmp_path / "answer.npz", tmp_path / "stand-in.npz"
    write_labels(answer, np.zeros(SHAPE, np.uint8))
    write_stand_in(stand_in, SHAPE)
    with np.load(answer) as expected, np.load(stand_in) as received:
        assert list(received) == ["segs"]
        np.testing.assert_array_equal(received["segs"], expected["segs"])
        assert received["segs"].dtype == np.uint8
    assert is_finished(answer)
    assert not is_finished(stand_in)
    assert sorted(tmp_path.iterdir()) == [answer, stand_in]


def test_a_stand_in_takes_no_memory(tmp_path: Path) -> None:
    shape = (200, 1000, 1000)
    tracemalloc.start()
    write_stand_in(tmp_path / "a.npz", shape)
    assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("content", [None, b"", b"half a file"])
def test_a_missing_or_damaged_answer_is_not_finished(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.npz"
    if content is not None:
        path.write_bytes(content)
    assert not is_finished(path)
