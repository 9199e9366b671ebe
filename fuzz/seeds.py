"""Small good files of every format, made here so that no binary file lies in the tree."""

from __future__ import annotations

import io
import pickle
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pydicom.uid import UID

SHAPE = (2, 3, 4)
PROMPTS = {"1": "liver in CT", 2: "left kidney", "instance_label": 0}
IMAGE = np.arange(24, dtype=np.uint8).reshape(SHAPE)


def prompt_pickles() -> list[bytes]:
    """The prompts as numpy pickles them, in each protocol, with numpy scalars and small arrays."""
    tables: list[dict[Any, Any]] = [
        PROMPTS,
        {np.int64(3): np.str_("spleen"), "instance_label": np.uint8(1)},
        {"1": "größer", "instance_label": np.array(1), "more": [1.5, None, True, (b"x", "y")]},
        {"7": np.array(["lung"]), "instance_label": np.array([0], ">i2")},
    ]
    seeds = [
        pickle.dumps(np.array(table, dtype=object), protocol=protocol)
        for protocol in range(5)
        for table in tables
    ]
    return [*seeds, *(seed.replace(b"numpy._core", b"numpy.core") for seed in seeds)]


def prompt_files() -> list[bytes]:
    """Files of prompts: a line each, a list, a table."""
    return [
        b"# organs\nliver\n\nleft kidney\n",
        b'["liver", "left kidney", 3, null, {"a": [1.5e3, true]}]',
        '{"1": "liver", "7": "größer"}'.encode(),
        b"[" * 3000,
        b'{"a":' * 1000,
    ]


def npz_files() -> list[bytes]:
    """Cases of the challenge: stored and deflated, several types, byte orders and memory orders."""
    images = [
        *(IMAGE.astype(dtype) for dtype in ("u1", ">i2", "<f4", "f2", "?", "<i8")),
        np.asfortranarray(IMAGE),
        np.array([[[np.nan, -1000.0, np.inf]]]),
    ]
    table = np.array(PROMPTS, dtype=object)
    seeds = []
    for save in (np.savez, np.savez_compressed):
        for image in images:
            file = io.BytesIO()
            save(file, imgs=image, spacing=np.array([0.8, 0.8, 2.5]), text_prompts=table)
            seeds.append(file.getvalue())
    return seeds


def nifti_files() -> list[bytes]:
    """NIfTI-1 and NIfTI-2, plain and packed, scaled values, an extension, both byte orders."""
    import nibabel as nib

    library: Any = nib
    affine = np.diag([-1.0, -1.0, 2.0, 1.0])
    scaled = library.Nifti1Image(IMAGE.T, affine)
    scaled.header.set_slope_inter(2, -1024)
    extended = library.Nifti1Image(IMAGE.T, affine)
    extended.header.extensions.append(library.nifti1.Nifti1Extension("comment", b"hello"))
    swapped = library.Nifti1Header(endianness=">")
    swapped.set_data_dtype(np.int16)
    images = [
        library.Nifti1Image(IMAGE.T, affine),
        library.Nifti2Image(IMAGE.T.astype("f4"), affine),
        library.Nifti1Image(IMAGE.T.astype(">i2"), affine, swapped),
        scaled,
        extended,
    ]
    return [data for image in images for data in (image.to_bytes(), _gzipped(image.to_bytes()))]


def nrrd_files() -> list[bytes]:
    """Raw, gzip and bzip2, with and without a space."""
    import bz2

    space = (
        "space: left-posterior-superior\nspace directions: (1,0,0) (0,1,0) (0,0,2.5)\n"
        "space origin: (-1,2,3)\nkinds: domain domain domain\n"
    )
    voxels = IMAGE.astype("<i2").tobytes()
    seeds = []
    for encoding, data in (
        *(("raw", voxels), ("gzip", _gzipped(voxels))),
        ("bzip2", bz2.compress(voxels)),
    ):
        for geometry in (space, "spacings: 1 1 2.5\n", "byte skip: -1\n"):
            header = (
                f"NRRD0005\n# made here\ntype: short\ndimension: 3\nsizes: 4 3 2\n{geometry}"
                f"endian: little\nencoding: {encoding}\nname:=value\n\n"
            )
            seeds.append(header.encode() + data)
    return seeds


def metaimage_files() -> list[bytes]:
    """Raw and packed, both byte orders."""
    import zlib

    seeds = []
    for big in (False, True):
        voxels = IMAGE.astype(">i2" if big else "<i2").tobytes()
        for packed in (False, True):
            header = (
                "ObjectType = Image\nNDims = 3\nBinaryData = True\n"
                f"BinaryDataByteOrderMSB = {big}\nCompressedData = {packed}\nHeaderSize = 0\n"
                "TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = -1 2 3\nModality = MET_MOD_CT\n"
                "ElementSpacing = 1 1 2.5\nDimSize = 4 3 2\nElementNumberOfChannels = 1\n"
                "ElementType = MET_SHORT\nElementDataFile = LOCAL\n"
            )
            seeds.append(header.encode() + (zlib.compress(voxels) if packed else voxels))
    return seeds


def tiff_files() -> list[bytes]:
    """Several pages in the packings that Pillow writes, with ImageJ's and OME's descriptions."""
    from PIL import Image, TiffImagePlugin

    seeds = []
    texts = (
        "ImageJ=1.11a\nimages=2\nslices=2\nunit=micron\nspacing=2.5\n",
        '<OME><Pixels PhysicalSizeX="0.5" PhysicalSizeY="0.5" PhysicalSizeZ="2"/></OME>',
    )
    for kind in ("u1", "<u2", "<i4", "<f4"):
        pages = [Image.fromarray(np.ascontiguousarray(page)) for page in IMAGE.astype(kind)]
        for packing in (None, "tiff_adobe_deflate", "tiff_lzw", "packbits", "jpeg"):
            if packing == "jpeg" and kind != "u1":
                continue
            tags = TiffImagePlugin.ImageFileDirectory_v2()
            tags[270] = texts[packing is None]
            tags[282] = tags[283] = TiffImagePlugin.IFDRational(2, 1)
            file = io.BytesIO()
            rest: dict[str, Any] = {"compression": packing, "tiffinfo": tags}
            pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:], **rest)
            seeds.append(file.getvalue())
    return seeds


def dicom_files() -> list[bytes]:
    """A CT slice in the syntaxes that GDCM writes, one with frames, and a zip of slices."""
    import zipfile

    plain = _dicom_slice(0)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for index in range(2):
            archive.writestr(f"series/{index}.dcm", _dicom_slice(index))
    return [plain, _deflated(plain), *_recoded(plain), _dicom_frames(), file.getvalue()]


def _gzipped(data: bytes) -> bytes:
    import gzip

    return gzip.compress(data, mtime=0)


def _dataset(storage: UID, **values: Any) -> Any:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = storage, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = UID("1.2.3.4.5")
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    fields = {
        "SOPClassUID": storage, "SOPInstanceUID": "1.2.3.4.5", "SeriesInstanceUID": "1.2.3.4",
        "StudyInstanceUID": "1.2.3", "SeriesDescription": "abdomen", "Modality": "CT",
        "Rows": 8, "Columns": 8, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15, "PixelRepresentation": 0,
        **values,
    }  # fmt: skip
    for key, value in fields.items():
        setattr(dataset, key, value)
    return dataset


def _dicom_slice(index: int) -> bytes:
    from pydicom.uid import CTImageStorage

    dataset = _dataset(
        CTImageStorage,
        SOPInstanceUID=f"1.2.3.4.5.{index}",
        PixelSpacing=[0.9, 0.7],
        SliceThickness=2.5,
        ImagePositionPatient=[0, 0, 2.5 * index],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        RescaleSlope=1,
        RescaleIntercept=-1024,
        PixelData=np.arange(64, dtype="<u2").tobytes(),
    )
    return _saved(dataset)


def _dicom_frames() -> bytes:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence
    from pydicom.uid import EnhancedCTImageStorage

    def holder(group: str, **values: Any) -> Dataset:
        inner, outer = Dataset(), Dataset()
        for key, value in values.items():
            setattr(inner, key, value)
        setattr(outer, group, Sequence([inner]))
        return outer

    shared = holder("PlaneOrientationSequence", ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    measures = holder("PixelMeasuresSequence", PixelSpacing=[0.9, 0.7], SliceThickness=2.5)
    shared.update(measures)
    frames = [
        holder("PlanePositionSequence", ImagePositionPatient=[0, 0, 2.5 * index])
        for index in range(2)
    ]
    dataset = _dataset(
        EnhancedCTImageStorage,
        NumberOfFrames=2,
        SharedFunctionalGroupsSequence=Sequence([shared]),
        PerFrameFunctionalGroupsSequence=Sequence(frames),
        PixelData=np.arange(128, dtype="<u2").tobytes(),
    )
    return _saved(dataset)


def _saved(dataset: Any) -> bytes:
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _deflated(plain: bytes) -> bytes:
    import pydicom
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    dataset = pydicom.dcmread(io.BytesIO(plain))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return _saved(dataset)


def _recoded(plain: bytes) -> list[bytes]:
    """The slice packed as RLE, JPEG lossless, JPEG-LS and JPEG 2000."""
    import gdcm

    kinds = ("RLELossless", "JPEGLosslessProcess14_1", "JPEGLSLossless", "JPEG2000Lossless")
    files = []
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "plain.dcm", Path(folder) / "packed.dcm"
        source.write_bytes(plain)
        for kind in kinds:
            reader = gdcm.ImageReader()
            reader.SetFileName(str(source))
            change = gdcm.ImageChangeTransferSyntax()
            change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, kind)))
            writer = gdcm.ImageWriter()
            writer.SetFileName(str(target))
            if not reader.Read():
                raise RuntimeError("GDCM cannot read the seed")
            change.SetInput(reader.GetImage())
            if not change.Change():
                raise RuntimeError(f"GDCM cannot write {kind}")
            writer.SetFile(reader.GetFile())
            writer.SetImage(change.GetOutput())
            if not writer.Write():
                raise RuntimeError(f"GDCM cannot write {kind}")
            files.append(target.read_bytes())
    return files
