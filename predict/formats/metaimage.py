"""MetaImage (.mha, .mhd): SimpleITK writes its numbers so that the same bits come back."""

from __future__ import annotations

from pathlib import Path

from predict.errors import CaseError
from predict.formats.detached import check_inside
from predict.formats.itk import read_grid
from predict.volumes import Volume

MAX_HEADER = 2**16


def read_metaimage(path: Path) -> Volume:
    """Read .mha or .mhd.

    Raises:
        CaseError: It cannot be used.
    """
    data = _data_file(path)
    if data.upper() != "LOCAL":
        check_inside(path, data)
    grid = read_grid(path)
    return Volume(
        array=grid.array,
        spacing=grid.spacing,
        origin=grid.origin,
        direction=grid.direction,
        kind="mha",
        modality=grid.modality,
        extra={"warnings": ()},
    )


def _data_file(path: Path) -> str:
    """What ElementDataFile says; it is the last line of the header."""
    with path.open("rb") as file:
        start = file.read(MAX_HEADER)
    for line in start.splitlines():
        key, equals, value = line.partition(b"=")
        if equals and key.strip().lower() == b"elementdatafile":
            return value.strip().decode("utf-8", "replace")
    raise CaseError("expected a MetaImage header, received something else")
