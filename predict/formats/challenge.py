"""The image of a challenge npz, without its prompts."""

from __future__ import annotations

from pathlib import Path

from predict.archive import DAMAGE, open_archive, read_header, read_numbers
from predict.cases import check_spacing
from predict.errors import CaseError
from predict.formats.sizes import check_size
from predict.npz import default_limit, read_spacing
from predict.volumes import Volume


def read_challenge(path: Path) -> Volume:
    """Read ``imgs`` and ``spacing``; whether the axes are the patient's is not told.

    Raises:
        CaseError: It cannot be used.
    """
    try:
        with open_archive(path) as archive:
            header = read_header(archive, "imgs", default_limit())
            check_size(header[0][::-1])
            array = read_numbers(archive, "imgs", header)
            spacing, warnings = check_spacing(read_spacing(archive))
    except DAMAGE as error:
        if isinstance(error, CaseError):
            raise
        raise CaseError(f"not a readable npz ({error or type(error).__name__})") from error
    if array.ndim != 3:
        raise CaseError(f"imgs: expected three axes (D, H, W), received shape {array.shape}")
    return Volume(
        array=array, spacing=spacing, kind="npz", oriented=False, extra={"warnings": warnings}
    )
