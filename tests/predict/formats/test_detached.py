from __future__ import annotations

from pathlib import Path

import pytest

from predict.errors import CaseError
from predict.formats.detached import check_inside


@pytest.mark.parametrize("data", ["a.raw", "a b.raw", "slice%03d.raw 1 9 1", "a..raw"])
def test_names_beside_the_header_are_fine(tmp_path: Path, data: str) -> None:
    check_inside(tmp_path / "a.nhdr", data)


@pytest.mark.parametrize(
    "data", ["/a.raw", "../a.raw", "b/a.raw", "..\\a.raw", "..", "LIST", "a\0"]
)
def test_paths_are_refused(tmp_path: Path, data: str) -> None:
    with pytest.raises(CaseError, match=r"beside a\.nhdr"):
        check_inside(tmp_path / "a.nhdr", data)


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.raw").symlink_to("/etc/passwd")
    with pytest.raises(CaseError, match="symbolic link"):
        check_inside(tmp_path / "a.nhdr", "a.raw")
