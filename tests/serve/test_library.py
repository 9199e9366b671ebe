from __future__ import annotations

from pathlib import Path

import pytest

from predict.errors import UsageError
from serve.errors import RefusalError
from serve.library import Library


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with cases, and a secret beside it."""
    (tmp_path / "secret.nii").touch()
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "a.dcm").touch()
    root = tmp_path / "cases"
    (root / "b" / "series").mkdir(parents=True)
    for name in ("a.nii.gz", "notes.txt", ".hidden.nii", "b/c.mhd", "b/series/1.dcm"):
        (root / name).touch()
    (root / "inside.nii").symlink_to(root / "a.nii.gz")
    (root / "outside.nii").symlink_to(tmp_path / "secret.nii")
    (root / "linked").symlink_to(tmp_path / "secrets")
    return root


def test_cases_are_listed_with_dicom_folders(folder: Path) -> None:
    cases = ["a.nii.gz", "b/c.mhd", "b/series", "inside.nii"]
    assert Library(folder).cases(10) == (cases, True)
    assert Library(folder).cases(4) == (cases, True)


def test_a_cut_list_says_so(folder: Path) -> None:
    found, complete = Library(folder).cases(2)
    assert (len(found), complete) == (2, False)


def test_listed_cases_are_found(folder: Path) -> None:
    library = Library(folder)
    for case in library.cases(10)[0]:
        assert library.find(case) == (folder / case).resolve()


@pytest.mark.parametrize(
    "case",
    [
        "../secret.nii",
        "b/../../secret.nii",
        "outside.nii",
        "linked",
        "linked/a.dcm",
        "/etc/passwd",
        "notes.txt",
        "none.nii",
        ".",
        "",
        "b",
        "a.nii.gz\0",
        "..\\secret.nii",
        "x" * 5000,
    ],
)
def test_nothing_else_is_found(folder: Path, case: str) -> None:
    with pytest.raises(RefusalError, match="expected one of those listed") as refusal:
        Library(folder).find(case)
    assert refusal.value.status == 404


def test_a_dicom_folder_with_a_link_outwards_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "b" / "series" / "2.dcm").symlink_to(tmp_path / "secrets" / "a.dcm")
    with pytest.raises(RefusalError):
        Library(folder).find("b/series")


def test_the_folder_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a folder"):
        Library(tmp_path / "none")
