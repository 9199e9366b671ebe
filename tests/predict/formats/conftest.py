"""Volumes, labels and synthetic DICOM series."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    generate_uid,
)
from scipy.spatial.transform import Rotation

from predict.volumes import Volume

SHAPE = (3, 4, 5)


@pytest.fixture(scope="session")
def turn() -> np.ndarray:
    """An oblique direction."""
    return Rotation.from_euler("xyz", (20, -15, 30), degrees=True).as_matrix()


@pytest.fixture(scope="session")
def image() -> np.ndarray:
    """Voxels that are all different."""
    return np.arange(-30, 30, dtype=np.int16).reshape(SHAPE)


@pytest.fixture(scope="session")
def labels() -> np.ndarray:
    """Ids 1 and 3; an asymmetric mask."""
    result = np.zeros(SHAPE, np.uint8)
    result[0, 1, 2:] = 1
    result[2, 3, 4] = 3
    return result


@pytest.fixture(scope="session")
def named() -> tuple[dict[int, str], dict[int, tuple[int, int, int]]]:
    """Names and colours of three ids, of which 7 does not occur."""
    names = {1: "liver", 3: "left kidney", 7: "not there"}
    return names, {1: (220, 60, 40), 3: (40, 160, 255), 7: (255, 255, 0)}


@pytest.fixture
def volume(image: np.ndarray, turn: np.ndarray) -> Volume:
    """An oblique volume whose numbers are not round."""
    return Volume(
        array=image,
        spacing=(0.7, 0.9, 2.5000001),
        origin=(-123.456789, 77.7, 1 / 3),
        direction=tuple(float(v) for v in turn.ravel()),
    )


def base_dataset(path: Path, storage: str, **fields: Any) -> FileDataset:
    """A DICOM file with what every image has."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = storage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID = storage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    values = {
        "PatientID": "P1", "PatientName": "Test^A", "PatientBirthDate": "", "PatientSex": "",
        "StudyInstanceUID": "1.2.3", "StudyDate": "20260101", "StudyTime": "120000",
        "StudyID": "1", "AccessionNumber": "", "ReferringPhysicianName": "", "Modality": "CT",
        "SeriesInstanceUID": "1.2.3.4", "SeriesNumber": 1, "SeriesDescription": "abdomen",
        "FrameOfReferenceUID": "1.2.3.9", "PositionReferenceIndicator": "", "Manufacturer": "X",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16, "BitsStored": 16,
        "HighBit": 15, "PixelRepresentation": 0, "InstanceNumber": 1, "PatientPosition": "HFS",
        **fields,
    }  # fmt: skip
    for key, value in values.items():
        setattr(dataset, key, value)
    return dataset


@pytest.fixture(scope="session")
def write_series() -> Callable[..., Path]:
    """Write a folder of single-frame CT slices, in a mixed order of file names.

    ``skip`` leaves slices out, ``tilt`` (degrees) shifts each slice along its columns.
    """

    def write(
        folder: Path,
        hounsfield: np.ndarray,
        turn: np.ndarray,
        *,
        gap: float = 2.5,
        skip: tuple[int, ...] = (),
        tilt: float = 0.0,
        prefix: str = "a",
        **fields: Any,
    ) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        origin = np.array([-100.25, 50.5, -30.0])
        for index, plane in enumerate(hounsfield):
            if index in skip:
                continue
            path = folder / f"{prefix}{(index * 7) % 11:03d}-{index}.dcm"
            shift = np.tan(np.radians(tilt)) * gap * index * turn[:, 1]
            position = origin + turn[:, 2] * gap * index + shift
            values: dict[str, Any] = {
                "Rows": plane.shape[0],
                "Columns": plane.shape[1],
                "PixelSpacing": [0.9, 0.7],
                "SliceThickness": gap,
                "ImagePositionPatient": [f"{v:.10g}" for v in position],
                "ImageOrientationPatient": [f"{v:.10g}" for v in turn.T[:2].ravel()],
                "RescaleSlope": 1,
                "RescaleIntercept": -1024,
                "RescaleType": "HU",
                "KVP": "",
                "AcquisitionNumber": 1,
                "InstanceNumber": index + 1,
                **fields,
            }
            dataset = base_dataset(path, CTImageStorage, **values)
            dataset.PixelData = (plane.astype(np.int32) + 1024).astype("<u2").tobytes()
            dataset.save_as(path, enforce_file_format=True)
        return folder

    return write


@pytest.fixture(scope="session")
def write_enhanced() -> Callable[..., Path]:
    """Write one multi-frame CT, its frames from the last slice to the first."""

    def write(path: Path, hounsfield: np.ndarray, turn: np.ndarray, gap: float = 2.5) -> Path:
        frames = Sequence()
        for index in reversed(range(len(hounsfield))):
            place = Dataset()
            place.ImagePositionPatient = [f"{v:.10g}" for v in turn[:, 2] * gap * index]
            frame = Dataset()
            frame.PlanePositionSequence = Sequence([place])
            content = Dataset()
            content.DimensionIndexValues = [1, len(frames) + 1]
            frame.FrameContentSequence = Sequence([content])
            frames.append(frame)
        orientation, measures, rescale, shared = Dataset(), Dataset(), Dataset(), Dataset()
        orientation.ImageOrientationPatient = [f"{v:.10g}" for v in turn.T[:2].ravel()]
        measures.PixelSpacing, measures.SliceThickness = [0.9, 0.7], gap
        rescale.RescaleIntercept, rescale.RescaleSlope, rescale.RescaleType = -1024, 1, "HU"
        shared.PlaneOrientationSequence = Sequence([orientation])
        shared.PixelMeasuresSequence = Sequence([measures])
        shared.PixelValueTransformationSequence = Sequence([rescale])
        dataset = base_dataset(
            path,
            EnhancedCTImageStorage,
            Rows=hounsfield.shape[1],
            Columns=hounsfield.shape[2],
            NumberOfFrames=len(hounsfield),
            SharedFunctionalGroupsSequence=Sequence([shared]),
            PerFrameFunctionalGroupsSequence=frames,
        )
        dataset.PixelData = (hounsfield[::-1].astype(np.int32) + 1024).astype("<u2").tobytes()
        dataset.save_as(path, enforce_file_format=True)
        return path

    return write
