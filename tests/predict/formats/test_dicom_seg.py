from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest

from predict.errors import CaseError, UsageError
from predict.formats import read_volume, write_mask
from predict.volumes import Volume

Write = Callable[..., Path]


@pytest.fixture
def mask(
    tmp_path: Path, write_series: Write, image: Any, turn: Any, labels: Any, named: Any
) -> Path:
    """A segmentation object of the oblique series."""
    read = read_volume(write_series(tmp_path / "s", image, turn))
    written = write_mask(labels, read, tmp_path / "m.dcm", *named)
    assert written == (tmp_path / "m.dcm",)
    return written[0]


def test_pydicom_finds_segments_names_and_references(mask: Path, turn: Any) -> None:
    dataset = pydicom.dcmread(mask)
    assert dataset.Modality == "SEG"
    assert dataset.SegmentationType == "BINARY"
    segments = [(s.SegmentNumber, s.SegmentLabel, s.TrackingID) for s in dataset.SegmentSequence]
    assert segments == [
        (1, "liver", "label 1"),
        (2, "left kidney", "label 3"),
        (3, "not there", "label 7"),
    ]
    assert dataset.FrameOfReferenceUID == "1.2.3.9"
    assert dataset.StudyInstanceUID == "1.2.3"
    assert dataset.ReferencedSeriesSequence[0].SeriesInstanceUID == "1.2.3.4"
    shared = dataset.SharedFunctionalGroupsSequence[0]
    orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    np.testing.assert_allclose(orientation, turn.T[:2].ravel(), atol=1e-9)
    assert list(shared.PixelMeasuresSequence[0].PixelSpacing) == [0.9, 0.7]


def test_each_frame_lies_on_the_slice_it_was_drawn_on(mask: Path, labels: Any, turn: Any) -> None:
    """By pydicom alone: place and pixels of every frame."""
    dataset = pydicom.dcmread(mask)
    found = np.zeros_like(labels)
    frames = np.atleast_3d(dataset.pixel_array).reshape(-1, 4, 5)
    for frame, group in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        place = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        depth = (place - [-100.25, 50.5, -30.0]) @ turn[:, 2] / 2.5
        assert depth == pytest.approx(round(depth), abs=1e-6)
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        found[round(depth)][frame == 1] = {1: 1, 2: 3}[number]
    np.testing.assert_array_equal(found, labels)


def test_highdicom_finds_mask_geometry_and_colours(
    mask: Path, labels: Any, turn: Any, named: Any
) -> None:
    segmentation = hd.seg.segread(mask)
    # It stacks slices against their normal.
    volume = segmentation.get_volume(combine_segments=True)
    expected = np.select([labels == 1, labels == 3], [1, 2], 0)
    np.testing.assert_array_equal(volume.array, expected[::-1])
    np.testing.assert_allclose(volume.spacing, (2.5, 0.9, 0.7))
    np.testing.assert_allclose(volume.position, [-100.25, 50.5, -30.0] + turn[:, 2] * 5)
    np.testing.assert_allclose(volume.direction, turn[:, [2, 1, 0]] * [-1, 1, 1], atol=1e-9)
    for number, label in enumerate(named[0], 1):
        colour = segmentation.get_segment_description(number).RecommendedDisplayCIELabValue
        rgb = hd.color.CIELabColor(*lab_of(colour)).to_rgb()
        np.testing.assert_allclose(rgb, named[1][label], atol=2)


def lab_of(stored: Any) -> tuple[float, float, float]:
    """DICOM's 16 bits as L 0..100, a and b -128..127."""
    light, a, b = (value / 65535 for value in stored)
    return light * 100, a * 255 - 128, b * 255 - 128


def test_a_file_of_many_frames(
    tmp_path: Path, write_enhanced: Write, image: Any, turn: Any, labels: Any, named: Any
) -> None:
    read = read_volume(write_enhanced(tmp_path / "e.dcm", image, turn))
    write_mask(labels, read, tmp_path / "m.dcm", *named)
    dataset = pydicom.dcmread(tmp_path / "m.dcm")
    frames = np.atleast_3d(dataset.pixel_array).reshape(-1, 4, 5)
    found = np.zeros_like(labels)
    for frame, group in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        place = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        found[round(float(place @ turn[:, 2]) / 2.5)][frame == 1] = {1: 1, 2: 3}[number]
    np.testing.assert_array_equal(found, labels)


def test_nothing_found_is_a_mask_too(
    tmp_path: Path, write_series: Write, image: Any, turn: Any
) -> None:
    read = read_volume(write_series(tmp_path / "s", image, turn))
    write_mask(np.zeros_like(image, np.uint8), read, tmp_path / "m.dcm", {1: "a\\b" * 50}, {})
    dataset = pydicom.dcmread(tmp_path / "m.dcm")
    assert not dataset.pixel_array.any()
    assert len(dataset.SegmentSequence[0].SegmentLabel) == 64


def test_without_a_dicom_image_or_names_or_highdicom_it_is_refused(
    tmp_path: Path,
    write_series: Write,
    volume: Volume,
    image: Any,
    turn: Any,
    labels: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UsageError, match="needs a DICOM image, received nifti"):
        write_mask(labels, volume, tmp_path / "m.dcm", {}, {})
    read = read_volume(write_series(tmp_path / "s", image, turn))
    with pytest.raises(UsageError, match="at least one name"):
        write_mask(labels * 0, read, tmp_path / "m.dcm", {}, {})
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(UsageError, match=r"pip install -r predict/requirements-dicom\.txt"):
        write_mask(labels, read, tmp_path / "m.dcm", {}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_a_series_without_a_frame_of_reference_is_refused(
    tmp_path: Path, write_series: Write, image: Any, turn: Any, labels: Any, named: Any
) -> None:
    read = read_volume(write_series(tmp_path / "s", image, turn))
    for header in read.extra["headers"]:
        del header.FrameOfReferenceUID
    with pytest.raises(CaseError, match=r"lacks FrameOfReferenceUID.*--format nii\.gz"):
        write_mask(labels, read, tmp_path / "m.dcm", *named)
    assert not (tmp_path / "m.dcm").exists()
