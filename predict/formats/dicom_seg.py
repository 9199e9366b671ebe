"""DICOM-SEG: one segment for each name, in the place and study of the images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from predict.errors import CaseError, UsageError
from predict.volumes import Volume

VERSION = "0.1.0"
MAX_LABEL = 64
SERIES_NUMBER = 900
NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")


def write_dicom_seg(
    labels: np.ndarray,
    volume: Volume,
    path: Path,
    names: Mapping[int, str],
    colours: Mapping[int, tuple[int, int, int]],
) -> None:
    """Write a binary segmentation object.

    Segments are numbered 1, 2, ... in the order of the names, as the standard wants it; the id of
    the mask is each segment's tracking id (``label ID``).

    Raises:
        UsageError: The image did not come as DICOM, nothing is named, or highdicom is not there.
        CaseError: The image lacks what a segmentation refers to.
        OSError: The disk or folder refuses.
    """
    if volume.kind != "dicom":
        raise UsageError(f"{path.suffix}: a DICOM-SEG needs a DICOM image, received {volume.kind}")
    if not names:
        raise UsageError("DICOM-SEG: expected at least one name, received none")
    lacking = [name for name in NEEDED if not volume.extra["headers"][0].get(name)]
    if lacking:
        raise CaseError(
            f"DICOM-SEG: the image lacks {', '.join(lacking)}, which a segmentation has to name; "
            "choose another format, for example --format nii.gz"
        )
    try:
        import highdicom as hd
        from highdicom.color import CIELabColor
        from pydicom.sr.codedict import codes
    except ImportError as error:
        raise UsageError(
            "DICOM-SEG needs highdicom: pip install -r predict/requirements-dicom.txt, or choose "
            "another format"
        ) from error
    algorithm = hd.AlgorithmIdentificationSequence(
        name="Text3DSAM", family=codes.DCM.ArtificialIntelligence, version=VERSION
    )
    segments = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=names[label].replace("\\", "/")[:MAX_LABEL],
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=codes.SCT.AnatomicalStructure,
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
            tracking_uid=hd.UID(),
            tracking_id=f"label {label}",
            display_color=CIELabColor.from_rgb(*colours[label]),
        )
        for number, label in enumerate(names, 1)
    ]
    segmentation = hd.seg.Segmentation(
        source_images=list(volume.extra["headers"]),
        pixel_array=_in_order_of_frames(_numbered(labels, names), volume.extra["frames"]),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=segments,
        series_instance_uid=hd.UID(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="Text3DSAM",
        manufacturer_model_name="Text3DSAM",
        software_versions=VERSION,
        device_serial_number="0",
        series_description="Text3DSAM segmentation",
    )
    segmentation.save_as(path)


def _numbered(labels: np.ndarray, names: Mapping[int, str]) -> np.ndarray:
    """Segment numbers 1, 2, ... instead of ids."""
    numbers: Any = np.zeros(int(max(names)) + 1, np.uint16)
    for number, label in enumerate(names, 1):
        numbers[label] = number
    return np.asarray(numbers[labels])


def _in_order_of_frames(labels: np.ndarray, frames: tuple[int, ...] | None) -> np.ndarray:
    if frames is None:
        return labels
    unsorted = np.empty_like(labels)
    unsorted[list(frames)] = labels
    return unsorted
