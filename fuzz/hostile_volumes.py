"""Medical image files that unpack to far more than they say, or point where nothing should be."""

from __future__ import annotations

import bz2
import gzip
import io
import struct
import zlib

from fuzz.seeds import IMAGE, dicom_files, metaimage_files, nifti_files, nrrd_files

EXTENSION_FLAG, NIFTI1_OFFSET, NIFTI1_HEADER = 348, 108, 352


def _nifti_extension(unpacked: int) -> bytes:
    """A NIfTI-1 whose extension takes all that the packed file holds."""
    plain = bytearray(nifti_files()[0][:NIFTI1_HEADER])
    plain[EXTENSION_FLAG] = 1
    struct.pack_into("<f", plain, NIFTI1_OFFSET, float(unpacked))
    extension = struct.pack("<2i", unpacked // 16 * 16, 6)
    return gzip.compress(bytes(plain) + extension + bytes(unpacked), 9, mtime=0)


def _nifti_many_extensions(unpacked: int) -> bytes:
    """Millions of extensions of 16 bytes, each of which becomes an object."""
    plain = bytearray(nifti_files()[0][:NIFTI1_HEADER])
    plain[EXTENSION_FLAG] = 1
    struct.pack_into("<f", plain, NIFTI1_OFFSET, float(unpacked))
    extension = struct.pack("<2i", 16, 6) + bytes(8)
    return gzip.compress(bytes(plain) + extension * (unpacked // 16), 9, mtime=0)


def _dicom_deflated(unpacked: int) -> bytes:
    """A DICOM slice whose deflated data set swells."""
    import pydicom
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    dataset = pydicom.dcmread(io.BytesIO(dicom_files()[0]))
    dataset.add_new(0x00291010, "OB", bytes(unpacked))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def swelling_volumes(unpacked: int) -> dict[str, bytes]:
    """Files by name: each holds ``unpacked`` bytes that no reader may unpack."""
    zeros = bytes(unpacked)
    nrrd, meta = nrrd_files(), metaimage_files()
    voxels = IMAGE.astype("<i2").tobytes()
    head = nrrd[3][: nrrd[3].index(b"\n\n") + 2]
    bzip = nrrd[6][: nrrd[6].index(b"\n\n") + 2]
    local = meta[1][: meta[1].index(b"LOCAL\n") + 6]
    return {
        "voxels.nii.gz": gzip.compress(nifti_files()[0] + zeros, 9, mtime=0),
        "extension.nii.gz": _nifti_extension(unpacked),
        "extensions.nii.gz": _nifti_many_extensions(unpacked // 8),
        "gzip.nrrd": head + gzip.compress(voxels + zeros, 9, mtime=0),
        "bzip2.nrrd": bzip + bz2.compress(voxels + zeros),
        "zlib.mha": local + zlib.compress(voxels + zeros, 9),
        "line.mha": b"Comment = " + zeros[: unpacked // 8],
        "line.nrrd": b"NRRD0005\ncontent: " + zeros[: unpacked // 8],
        "deflated.dcm": _dicom_deflated(unpacked),
    }
