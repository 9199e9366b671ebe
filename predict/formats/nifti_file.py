"""NIfTI files as nibabel reads them, but for their extensions.

Extensions are not needed here, and a packed file of some kilobytes can hold one of gigabytes, or
millions of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from nibabel.nifti1 import Nifti1Extensions, Nifti1Header, Nifti1Image
from nibabel.nifti2 import Nifti2Header, Nifti2Image

from predict.errors import CaseError

# Bytes before the voxels, which must be unpacked to get there.
MAX_OFFSET = 64 * 2**20


class _NoExtensions(Nifti1Extensions):
    @classmethod
    def from_fileobj(cls, *_: object) -> Self:
        """None, whatever the file holds."""
        return cls()


class _Header1(Nifti1Header):
    exts_klass = _NoExtensions


class _Header2(Nifti2Header):
    exts_klass = _NoExtensions


class _Image1(Nifti1Image):
    header_class = _Header1


class _Image2(Nifti2Image):
    header_class = _Header2


def load_nifti(path: Path) -> tuple[Any, Any]:
    """An image of nibabel, whose voxels are not read yet, and its header without extensions.

    Raises:
        CaseError: Not NIfTI, or the voxels begin too far behind the header.
        Exception: Whatever nibabel raises on damaged headers.
    """
    kind = next((kind for kind in (_Image1, _Image2) if kind.path_maybe_image(path)[0]), None)
    if kind is None:
        raise CaseError("expected a NIfTI header, received something else")
    image: Any = kind.from_filename(path, mmap=False)
    offset = image.dataobj.offset
    if not 0 <= offset <= MAX_OFFSET:
        raise CaseError(f"expected voxels within {MAX_OFFSET} bytes, received {offset}")
    base: Any = Nifti2Header if kind is _Image2 else Nifti1Header
    return image, base(image.header.binaryblock, image.header.endianness, check=False)
