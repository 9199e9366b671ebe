"""The DICOM files of a folder, of a zip, or a single one."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from predict.archive import DAMAGE, open_archive
from predict.errors import CaseError
from predict.npz import default_limit

if TYPE_CHECKING:
    from pydicom import Dataset

MAX_FILES = 50_000
MAX_DIRECTORY = 16 * 2**20
MAX_DEFLATED = 256 * 2**20
COPY_BYTES = 2**20
META_GROUP = 2
NOT_PIXELS = {"SEG", "RTDOSE", "PR", "KO", "SR", "RTSTRUCT", "REG"}
COUNTS = ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel")
LISTED = ("SOPInstanceUID", "SeriesInstanceUID", "SeriesDescription", "Modality")
HEADERLESS = (".dcm", ".ima")


@contextmanager
def open_files(path: Path) -> Iterator[list[Path]]:
    """Files to look at; those of a zip lie in a temporary folder that is removed afterwards.

    Raises:
        CaseError: Too many files, or a zip that is damaged or too large.
    """
    if path.is_dir():
        yield _walk(path)
    elif path.suffix.lower() != ".zip":
        yield [path]
    else:
        with tempfile.TemporaryDirectory(prefix="text3dsam-") as folder:
            yield _unpack(path, Path(folder))


def read_header(path: Path) -> Dataset | None:
    """All but the pixels of a DICOM image; None if the file is anything else.

    Raises:
        CaseError: A deflated file that unpacks to too much.
    """
    import pydicom

    try:
        force = path.suffix.lower() in HEADERLESS
        _check_deflated(path, force)
        header = pydicom.dcmread(path, stop_before_pixels=True, force=force)
        # Looked at here, where a value that is no number does no harm.
        counts = [int(header.get(key) or 1) for key in COUNTS]
        [float(value) for value in header.get("ImageOrientationPatient") or ()]
        [str(header.get(key)) for key in LISTED]
        image = "Rows" in header and "Columns" in header and "SOPInstanceUID" in header
        wanted = image and min(counts) > 0 and header.get("Modality") not in NOT_PIXELS
        return header if wanted else None
    except CaseError:
        raise
    except Exception:
        # A file of an unknown sender can break the parser in almost any way.
        return None


def _check_deflated(path: Path, force: bool) -> None:
    """Refuse deflated data that swell: pydicom unpacks them whole, whatever they come to."""
    from pydicom.filereader import read_dataset, read_preamble
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    with path.open("rb") as file:
        read_preamble(file, force)
        meta = read_dataset(
            file, False, True, stop_when=lambda tag, _vr, _length: tag.group != META_GROUP
        )
        if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
            return
        unpacker, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
        while size <= MAX_DEFLATED and not unpacker.eof:
            packed = unpacker.unconsumed_tail or file.read(COPY_BYTES)
            if not packed:
                break
            size += len(unpacker.decompress(packed, COPY_BYTES))
    if size > MAX_DEFLATED:
        raise CaseError(f"expected deflated data of at most {MAX_DEFLATED} bytes, received more")


def _walk(folder: Path) -> list[Path]:
    files: list[Path] = []
    for root, folders, names in os.walk(folder):
        folders.sort()
        files += [
            Path(root) / name
            for name in sorted(names)
            if not name.startswith(".") and name != "DICOMDIR" and (Path(root) / name).is_file()
        ]
        if len(files) > MAX_FILES:
            raise CaseError(f"expected at most {MAX_FILES} files, received more")
    return files


def _unpack(path: Path, folder: Path) -> list[Path]:
    """Members under numbers instead of their names, so that none can lead out of the folder."""
    limit = default_limit()
    files = []
    try:
        with open_archive(path, MAX_DIRECTORY) as archive:
            members = [m for m in archive.infolist() if _wanted(m)]
            size = sum(member.file_size for member in members)
            if len(members) > MAX_FILES or size > limit:
                raise CaseError(
                    f"expected at most {MAX_FILES} files of {limit} bytes together, "
                    f"received {len(members)} of {size}"
                )
            for number, member in enumerate(members):
                # zipfile stops at the size that was counted above, whatever the data unpack to.
                target = folder / f"{number:06d}.{'dcm' if _named_dicom(member) else 'file'}"
                with archive.open(member) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file, COPY_BYTES)
                files.append(target)
    except DAMAGE as error:
        if isinstance(error, CaseError):
            raise
        raise CaseError(f"not a readable zip ({error or type(error).__name__})") from error
    return files


def _wanted(member: zipfile.ZipInfo) -> bool:
    name = member.filename.rpartition("/")[2]
    hidden = name.startswith(".") or member.filename.startswith("__MACOSX/")
    return bool(name) and not member.is_dir() and not hidden and name != "DICOMDIR"


def _named_dicom(member: zipfile.ZipInfo) -> bool:
    return member.filename.lower().endswith(HEADERLESS)
