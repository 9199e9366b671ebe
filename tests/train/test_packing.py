from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from predict.cases import normalise_image
from predict.errors import CaseError, UsageError
from train.packing import Pack, PackSettings, make_pack, read_pack, write_pack
from train.raw_case import RawCase

SMALL = PackSettings((4, 8, 8))


def raw_case(image: np.ndarray, labels: np.ndarray) -> RawCase:
    return RawCase(image=image, labels=labels, spacing=None, has_spacing=False)


@pytest.fixture
def raw() -> RawCase:
    rng = np.random.default_rng(0)
    labels = np.zeros((8, 16, 12), np.uint16)
    labels[:4, :8], labels[7, 3, 3], labels[6] = 1, 2, 300
    labels[7, 3, 3] = 2
    return raw_case(rng.integers(0, 256, labels.shape, dtype=np.uint8), labels)


def test_a_small_case_is_kept_voxel_by_voxel(raw: RawCase) -> None:
    pack = make_pack(raw, False, PackSettings())
    assert np.array_equal(pack.image, raw.image)
    assert np.array_equal(pack.labels, np.where(raw.labels > 255, 0, raw.labels))
    assert pack.labels.dtype == pack.image.dtype == np.uint8
    assert pack.classes == (1, 2)


def test_a_large_case_is_averaged_and_keeps_its_single_voxel(raw: RawCase) -> None:
    pack = make_pack(raw, False, SMALL)
    assert pack.image.shape == pack.labels.shape == (4, 8, 8)
    # The last axis has cells of 1.5 voxels, so that only the two others average plainly.
    planes = raw.image.reshape(4, 2, 8, 2, 12).mean(axis=(1, 3))
    first = (planes[..., 0] + planes[..., 1] / 2) / 1.5
    assert np.abs(pack.image[..., 0] - first).max() <= 0.51
    assert pack.classes == (1, 2)
    assert np.argwhere(pack.labels == 2).tolist() == [[3, 1, 2]]


def test_every_object_of_an_instance_case_survives() -> None:
    labels = np.zeros((8, 16, 16), np.int64)
    labels[::4, ::4, ::4] = 10**9 + np.arange(32).reshape(2, 4, 4)
    pack = make_pack(raw_case(np.zeros(labels.shape, np.uint8), labels), True, SMALL)
    assert pack.labels.sum() == 32
    assert pack.classes == (1,)


def test_intensities_follow_the_rule_of_prediction(raw: RawCase) -> None:
    wild = raw.image.astype(np.float32) * 40 - 1000
    wild[0, 0, 0] = np.nan
    expected = np.rint(normalise_image(wild)[0])
    pack = make_pack(raw_case(wild, raw.labels), False, PackSettings())
    assert np.array_equal(pack.image, expected)
    small = make_pack(raw_case(wild, raw.labels), False, SMALL).image
    assert abs(float(small.mean()) - float(expected.mean())) < 1


def test_a_pack_reads_back_and_its_image_is_a_map(tmp_path: Path, raw: RawCase) -> None:
    pack = make_pack(raw, False, SMALL)
    path = tmp_path / "ab" / "x.pack"
    write_pack(path, pack, {"source": "a.npz"})
    back = read_pack(path)
    assert isinstance(back.image, np.memmap)
    assert not back.image.flags.writeable
    assert np.array_equal(back.image, pack.image)
    assert np.array_equal(back.labels, pack.labels)
    assert back.classes == pack.classes
    assert np.array_equal(np.load(path, mmap_mode="r"), pack.image)
    assert [file.name for file in path.parent.iterdir()] == ["x.pack"]


def test_a_damaged_pack_is_a_case_error(tmp_path: Path, raw: RawCase) -> None:
    path = tmp_path / "x.pack"
    write_pack(path, make_pack(raw, False, SMALL), {})
    whole = path.read_bytes()
    for damaged in (b"", whole[:100], whole[:-1], whole[:-300] + bytes(300), whole[12:]):
        path.write_bytes(damaged)
        with pytest.raises(CaseError, match="expected a pack"):
            read_pack(path)
    with pytest.raises(CaseError, match="expected a pack"):
        read_pack(tmp_path / "none.pack")
    wrong = Pack(np.zeros((2, 2, 2), np.uint8), np.zeros((2, 2, 3), np.uint8), ())
    write_pack(path, wrong, {})
    with pytest.raises(CaseError, match="expected a pack"):
        read_pack(path)


def test_another_source_setting_or_kind_has_another_name() -> None:
    names = {
        settings.name(sha256, instance)
        for settings in (SMALL, PackSettings())
        for sha256 in ("a", "b")
        for instance in (False, True)
    }
    assert len(names) == 8
    assert SMALL.name("a", False) == PackSettings((4, 8, 8)).name("a", False)


def test_settings_come_back(tmp_path: Path) -> None:
    SMALL.save(tmp_path)
    assert PackSettings.load(tmp_path) == SMALL
    (tmp_path / "pack.json").write_text('{"format": 99, "max_size": [1, 2, 3]}')
    with pytest.raises(UsageError, match="expected a packed cache of format 1"):
        PackSettings.load(tmp_path)
    with pytest.raises(UsageError, match="expected a packed cache"):
        PackSettings.load(tmp_path / "none")
