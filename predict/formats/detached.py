"""Headers that name another file for their voxels."""

from __future__ import annotations

from pathlib import Path

from predict.errors import CaseError


def check_inside(header: Path, data: str) -> None:
    """Refuse data that lies outside of the header's folder: a sent file must not open others.

    Args:
        header: The header's path.
        data: What it names: a file, or a pattern or list of files of which only names are allowed.

    Raises:
        CaseError: It leads elsewhere.
    """
    names = data.split() or [""]
    odd = not data.isprintable() or data == "LIST"
    if odd or any("/" in name or "\\" in name or name == ".." for name in names):
        raise CaseError(f"expected the voxels beside {header.name}, received {data!r}")
    if (header.parent / data).is_symlink():
        raise CaseError(f"expected the voxels beside {header.name}, received a symbolic link")
